package main

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func migrateCommand() *command {
	c := newCommand("migrate", "up | down <steps | all> | status | force <version>", "Change the schema of the database", `
Changes the schema, as the login of GRAPEVINE_OWNER_DATABASE_URL, else of DATABASE_URL, else as the owner of the database that
`+"`grapevine serve`"+` starts. One process migrates at a time; others wait.

  up              make the role grapevine_app if it is missing, bring the schema to this program's version, make partitions
  down <steps>    undo that many migrations; their data goes with them
  down all        undo all of them
  status          tell the version; exit 1 when it is not the one of this program
  force <version> record a version without running anything, after a migration failed half-way and was repaired by hand

`+"`grapevine serve`"+` migrates by itself a database that it starts, and an empty one. Any other it leaves alone: run
`+"`grapevine migrate up`"+` once, before the new version is started.`)
	c.run = func(ctx context.Context, p *program, args []string) error {
		if len(args) == 0 {
			return misused("what to do is missing")
		}
		action, rest := args[0], args[1:]
		number, err := migrateArgument(action, rest)
		if err != nil {
			return err
		}
		return p.session(ctx, func(cfg config.Config, d *database, log *slog.Logger) error {
			m := store.NewMigrator(d.ownerURL)
			switch action {
			case "up":
				err = store.Migrate(ctx, d.options(cfg, log), time.Now())
			case "down":
				err = m.Down(ctx, number)
			case "force":
				err = m.Force(ctx, number)
			}
			if err != nil {
				return err
			}
			return p.status(ctx, m, action == "status")
		})
	}
	return c
}

// migrateArgument checks the words after migrate; down's 0 means all.
func migrateArgument(action string, rest []string) (int, error) {
	switch action {
	case "up", "status":
		if len(rest) > 0 {
			return 0, misused("%s takes nothing more", action)
		}
		return 0, nil
	case "down", "force":
		if len(rest) != 1 {
			return 0, misused("%s takes one number", action)
		}
		if action == "down" && rest[0] == "all" {
			return 0, nil
		}
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < 0 || action == "down" && n == 0 {
			return 0, misused("%s takes one number, not %q", action, rest[0])
		}
		return n, nil
	}
	return 0, misused("there is no %q", action)
}

func (p *program) status(ctx context.Context, m *store.Migrator, asked bool) error {
	status, err := m.Status(ctx)
	if err != nil {
		return err
	}
	state := "clean"
	if status.Dirty {
		state = "failed half-way"
	}
	p.say("schema version %d of %d, %s\n", status.Version, status.Latest, state)
	if asked {
		return status.Err()
	}
	return nil
}
