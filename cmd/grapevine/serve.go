package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/config"
)

func serveCommand() *command {
	c := newCommand("serve", "", "Answer requests", `
Answers requests until SIGTERM or SIGINT, then finishes what has begun and ends. Logs go to stderr, one JSON object a line.

Without DATABASE_URL a PostgreSQL of its own is found or fetched and started as a child; its data stays in GRAPEVINE_DATA_DIR (for
root, who cannot run PostgreSQL, in a folder that the account it is handed to can reach). With DATABASE_URL nothing is started. A
database that forgets what it has acknowledged is refused, see GRAPEVINE_ALLOW_UNSAFE_DURABILITY.

The schema is made and brought up to date in a database that is started, and made in an empty one. Any other that is behind is
refused, since other servers may still work on it: run `+"`grapevine migrate up`"+` first, or serve with -migrate.`)
	demo := c.flags.Bool("demo", false, "make a workspace to try things in, once, and print what to type next")
	migrate := c.flags.Bool("migrate", false, "bring the schema of DATABASE_URL up to date first")
	c.run = func(ctx context.Context, p *program, args []string) error {
		if len(args) > 0 {
			return misused("too many arguments")
		}
		cfg, err := config.Load(p.env)
		if err != nil {
			return err
		}
		return p.serve(ctx, cfg, *demo, *migrate)
	}
	return c
}

func (p *program) serve(ctx context.Context, cfg config.Config, demo, migrate bool) (err error) {
	began := time.Now()
	log := slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	log.Info("starting", "version", version(), "commit", commit, "pid", os.Getpid(), "config", cfg)
	d, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, d.stop(ctx))
		log.Info("stopped", "error", err)
	}()
	if err := d.prepare(ctx, cfg, migrate, log); err != nil {
		return err
	}
	i, err := newInstance(ctx, cfg, d, log)
	if err != nil {
		return err
	}
	log.Info("serving", "address", i.listener.Addr().String(), "url", i.url, "after_ms", time.Since(began).Milliseconds())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- i.run(ctx) }()
	if demo {
		if err := p.demo(ctx, cfg, d, i); err != nil && ctx.Err() == nil {
			stop()
			return errors.Join(err, <-ended)
		}
	}
	return <-ended
}
