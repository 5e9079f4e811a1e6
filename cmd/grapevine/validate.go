package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/store"
	"github.com/grapevine-referrals/grapevine/internal/validate"
	"github.com/grapevine-referrals/grapevine/sql/migrations"
)

// builtIn stands for this program's own migrations where a folder can be named.
const builtIn = "built-in"

func validateCommand() *command {
	c := newCommand("validate", "", "Check a schema and a contract for everything that is needed", `
Checks a database's schema for every table, column, key, check, index and privilege that this program needs, and a contract file for
every operation, answer, header, code and arrow of a state machine. What is missing, different or forbidden is printed, one line each.
Exit status: 0 nothing, 1 something, 2 a wrong command line.

The schema is that of DATABASE_URL, else of the database that `+"`grapevine serve`"+` keeps in GRAPEVINE_DATA_DIR, else of a throw-away
database to which this program's migrations are applied; with -migrations always of a throw-away one.`)
	folder := c.flags.String("migrations", "", "check what the migrations of a `folder` make; \""+builtIn+"\" means this program's own")
	contract := c.flags.String("contract", "", "check this OpenAPI `file` instead of the one that is built in")
	write := c.flags.String("write", "", "check nothing, but write to this `file` what the migrations make: how internal/validate/schema.txt is made")
	c.run = func(ctx context.Context, p *program, args []string) error {
		if len(args) > 0 {
			return misused("too many arguments")
		}
		cfg, err := config.Load(p.env)
		if err != nil {
			return err
		}
		log := p.logger(slog.LevelWarn)
		if *write != "" {
			return withSchema(ctx, cfg, cmp.Or(*folder, builtIn), log, func(conn *pgx.Conn) error { return writeSchema(ctx, conn, *write) })
		}
		file := gen.OpenAPIYAML
		if *contract != "" {
			if file, err = os.ReadFile(*contract); err != nil {
				return err
			}
		}
		lines, err := validate.Contract(file)
		if err != nil {
			return err
		}
		err = withSchema(ctx, cfg, *folder, log, func(conn *pgx.Conn) error {
			wrong, err := validate.Schema(ctx, conn)
			lines = append(wrong, lines...)
			return err
		})
		if err != nil {
			return err
		}
		return p.tell(lines)
	}
	return c
}

func (p *program) tell(lines []string) error {
	for _, line := range lines {
		p.say("%s\n", line)
	}
	if len(lines) > 0 {
		return errFound
	}
	p.say("schema and contract have everything\n")
	return nil
}

// withSchema connects to the database whose schema is asked for.
func withSchema(ctx context.Context, cfg config.Config, folder string, log *slog.Logger, fn func(conn *pgx.Conn) error) (err error) {
	open, files := joinDatabase, fs.FS(nil)
	switch {
	case folder != "" && folder != builtIn:
		open, files = throwAway, os.DirFS(folder)
	case folder != "" || cfg.DatabaseURL == "" && !postgres.Exists(cfg.DataDir):
		open, files = throwAway, migrations.FS
	}
	d, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(ctx)) }()
	if files != nil {
		if err := store.EnsureRole(ctx, d.options(cfg, log)); err != nil {
			return err
		}
		if err := store.NewMigratorOf(d.ownerURL, files).Up(ctx); err != nil {
			return err
		}
	}
	conn, err := pgx.Connect(ctx, d.ownerURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return fn(conn)
}

func writeSchema(ctx context.Context, conn *pgx.Conn, path string) error {
	items, err := validate.Read(ctx, conn)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, i := range items {
		fmt.Fprintln(&text, i)
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
