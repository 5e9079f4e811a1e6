package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/doctor"
	"github.com/grapevine-referrals/grapevine/internal/engine"
)

func doctorCommand() *command {
	c := newCommand("doctor", "", "Look for what should never be", `
Looks through a database for what should never be: books that do not balance, counters that differ from their facts, decisions that do
not replay, a referral tree with a cycle, facts that nobody settled, settings that lose data. It may run beside servers, writes nothing
and repairs nothing. Each finding is printed on a line; exit status 1 when there is one.

The checks read the whole database on one snapshot. At the end every referee is settled anew, one at a time, and undone again; -quick
leaves that out.`)
	quick := c.flags.Bool("quick", false, "do not settle every referee anew")
	list := c.flags.Bool("list", false, "list the checks, and check nothing")
	c.run = func(ctx context.Context, p *program, args []string) error {
		if len(args) > 0 {
			return misused("too many arguments")
		}
		if *list {
			for _, check := range doctor.Checks() {
				p.say("%-28s %s\n", check.Name, check.About)
			}
			return nil
		}
		return p.session(ctx, func(cfg config.Config, d *database, log *slog.Logger) error {
			return p.examine(ctx, cfg, d, *quick, log)
		})
	}
	return c
}

func (p *program) examine(ctx context.Context, cfg config.Config, d *database, quick bool, log *slog.Logger) (err error) {
	st, err := d.open(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer st.Close()
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	checks := doctor.Checks()
	findings, err := doctor.Examine(ctx, conn, checks)
	if err != nil {
		return err
	}
	count := len(checks)
	if !quick {
		more, err := doctor.Settlements(ctx, conn, st, engine.New(log), time.Now())
		if err != nil {
			return err
		}
		findings, count = append(findings, more...), count+1
	}
	for _, f := range findings {
		p.say("%s\n", f)
	}
	if len(findings) > 0 {
		p.say("%d checks, %d findings\n", count, len(findings))
		return errFound
	}
	p.say("nothing found\n")
	return nil
}
