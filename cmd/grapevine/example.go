package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/server"
)

func exampleCommand() *command {
	c := newCommand("example", "", "Play the life of a referral against a server, and tell it", `
Plays the worked example (the story of examples/worked-example.arazzo.yaml): program, code, click, signup, purchase, rewards, refusals,
maturation, refunds, explanation, trial balance. Each step is told with what the server really answered. Exit status 1 when an answer
is not as told.

With -url and -key it plays in a test workspace of a server that runs; it moves the clock of that workspace. Without them it starts a
server of its own on a throw-away database.`)
	url := c.flags.String("url", "", "`address` of a server (default $GRAPEVINE_URL)")
	key := c.flags.String("key", "", "secret `key` of a test workspace (default $GRAPEVINE_API_KEY)")
	c.run = func(ctx context.Context, p *program, args []string) error {
		if len(args) > 0 {
			return misused("too many arguments")
		}
		address, secret := cmp.Or(*url, p.env("GRAPEVINE_URL")), cmp.Or(*key, p.env("GRAPEVINE_API_KEY"))
		switch {
		case address == "" && secret == "":
			return p.playAlone(ctx)
		case address == "" || secret == "":
			return misused("-url and -key go together")
		}
		return p.play(ctx, address, secret)
	}
	return c
}

// play tells the story in a workspace of a server that runs.
func (p *program) play(ctx context.Context, url, key string) error {
	s, err := newStory(p, url, key)
	if err != nil {
		return err
	}
	return s.tell(ctx)
}

// playAlone is play on a server of its own.
func (p *program) playAlone(ctx context.Context) (err error) {
	cfg, err := config.Load(p.env)
	if err != nil {
		return err
	}
	cfg.Listen, cfg.PublicURL, cfg.AllowUnsafeDurability = "127.0.0.1:0", "", true // nobody will miss what is forgotten
	log := p.logger(slog.LevelError)
	p.say("Starting a server on a throw-away database.\n")
	d, err := throwAway(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(ctx)) }()
	if err := d.prepare(ctx, cfg, false, log); err != nil {
		return err
	}
	i, err := newInstance(ctx, cfg, d, log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- i.run(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	pair, err := server.CreateWorkspacePair(ctx, i.store, i.engine, "Example", nil)
	if err != nil {
		return err
	}
	return p.play(ctx, i.url, pair.TestKey)
}
