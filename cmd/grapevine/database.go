package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// database is the PostgreSQL that a command works with: the one of DATABASE_URL, else one that runs as our child.
type database struct {
	url, ownerURL string
	server        *postgres.Server // nil with DATABASE_URL
}

// stopTimeout is how long PostgreSQL may take to write everything out when it stops.
const stopTimeout = time.Minute

// openDatabase starts the database for serving, or fails when another process serves it.
func openDatabase(ctx context.Context, cfg config.Config, log *slog.Logger) (*database, error) {
	if cfg.DatabaseURL != "" {
		return external(cfg), nil
	}
	s, err := postgres.Start(ctx, embeddedOptions(cfg, log))
	if err != nil {
		return nil, err
	}
	return embedded(s), nil
}

// joinDatabase is openDatabase for tools: they also work beside a server that runs, and make no database where there is none.
func joinDatabase(ctx context.Context, cfg config.Config, log *slog.Logger) (*database, error) {
	if cfg.DatabaseURL != "" {
		return external(cfg), nil
	}
	if !postgres.Exists(cfg.DataDir) {
		return nil, fmt.Errorf("there is no database in %s yet: start `grapevine serve` once, or set DATABASE_URL", cfg.DataDir)
	}
	s, err := postgres.Join(ctx, embeddedOptions(cfg, log))
	if err != nil {
		return nil, err
	}
	return embedded(s), nil
}

// throwAway starts an empty database that is gone after stop.
func throwAway(ctx context.Context, cfg config.Config, log *slog.Logger) (*database, error) {
	s, err := postgres.Start(ctx, postgres.Options{BinDir: cfg.PGBin, Unsafe: true, Log: log})
	if err != nil {
		return nil, err
	}
	return embedded(s), nil
}

func embeddedOptions(cfg config.Config, log *slog.Logger) postgres.Options {
	const others = 20 // migrations, partitions, tools
	return postgres.Options{Dir: cfg.DataDir, BinDir: cfg.PGBin, MaxConnections: max(100, cfg.PGMaxConns+others), Log: log}
}

func external(cfg config.Config) *database {
	return &database{url: cfg.DatabaseURL, ownerURL: cmp.Or(cfg.OwnerDatabaseURL, cfg.DatabaseURL)}
}

func embedded(s *postgres.Server) *database {
	return &database{url: s.AppURL(), ownerURL: s.OwnerURL(), server: s}
}

// stop ends PostgreSQL if it is ours.
func (d *database) stop(ctx context.Context) error {
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return d.server.Stop(ctx)
}

func (d *database) options(cfg config.Config, log *slog.Logger) store.Options {
	return store.Options{
		URL: d.url, OwnerURL: d.ownerURL, MaxConns: cfg.PGMaxConns, StatementMode: cfg.StatementMode,
		StatementTimeout: cfg.StatementTimeout, Log: log,
	}
}

// open connects in the application's role to a schema that is the one of this program.
func (d *database) open(ctx context.Context, cfg config.Config, log *slog.Logger) (*store.Store, error) {
	st, err := store.Open(ctx, d.options(cfg, log))
	if err != nil {
		return nil, err
	}
	if err := st.EnsureClean(ctx); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

// prepare brings the schema to this program's version where nobody can be surprised by that: our own database, an empty one, and one
// that the caller says to migrate. Any other is the business of whoever runs several servers on it.
func (d *database) prepare(ctx context.Context, cfg config.Config, migrate bool, log *slog.Logger) error {
	status, err := store.NewMigrator(d.ownerURL).Status(ctx)
	if err != nil {
		return err
	}
	behind := !status.Dirty && status.Version < status.Latest
	switch {
	case behind && (d.server != nil || migrate || status.Version == 0):
		log.Info("migrating", "from", status.Version, "to", status.Latest)
		return store.Migrate(ctx, d.options(cfg, log), time.Now())
	case status.Err() != nil:
		return status.Err()
	}
	if err := store.EnsurePartitions(ctx, d.ownerURL, time.Now()); err != nil {
		// Clicks of a month without a partition go into the default one.
		log.Warn("partitions were not made; GRAPEVINE_OWNER_DATABASE_URL names a login that may", "error", store.LogText(err))
	}
	return nil
}

// session runs a tool on the database of the configuration.
func (p *program) session(ctx context.Context, fn func(cfg config.Config, d *database, log *slog.Logger) error) (err error) {
	cfg, err := config.Load(p.env)
	if err != nil {
		return err
	}
	log := p.logger(slog.LevelWarn)
	d, err := joinDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(ctx)) }()
	return fn(cfg, d, log)
}

// sessionStore is session with the pool open, for tools that work in the application's role.
func (p *program) sessionStore(ctx context.Context, fn func(st *store.Store) error) error {
	return p.session(ctx, func(cfg config.Config, d *database, log *slog.Logger) error {
		st, err := d.open(ctx, cfg, log)
		if err != nil {
			return err
		}
		defer st.Close()
		return fn(st)
	})
}

// logger is for tools, whose reader sits at the terminal.
func (p *program) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}
