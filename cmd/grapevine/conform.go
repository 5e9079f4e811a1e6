package main

import (
	"cmp"
	"context"
	"io/fs"
	"os"

	"github.com/grapevine-referrals/grapevine/examples/conformance"
	"github.com/grapevine-referrals/grapevine/internal/conform"
)

// conformFlags say what is played, where, and how it is told.
type conformFlags struct {
	url, key, only, dir string
	own, json           bool
	parallel            int
}

func conformCommand() *command {
	c := newCommand("conform", "", "Play the conformance pack against a server, and tell what holds", `
Plays the situations of examples/conformance against a server that runs, through its API alone, and prints what held and what did not.
Exit status 1 when anything did not.

All are played in the test workspace of the key, each with a program and people of its own, so that they can be played again; they
move its clock about two years further, so use a workspace that is there for this. The key of a live workspace is refused. With -own
and the operator's token in GRAPEVINE_OPERATOR_TOKEN each situation gets a new pair of workspaces instead, and no key is needed.`)
	f := &conformFlags{}
	c.flags.StringVar(&f.url, "url", "", "`address` of a server (default $GRAPEVINE_URL)")
	c.flags.StringVar(&f.key, "key", "", "secret `key` of a test workspace (default $GRAPEVINE_API_KEY)")
	c.flags.StringVar(&f.only, "only", "", "play only the situations whose file name, without .yaml, fits this `pattern`, such as 'reversal-*'")
	c.flags.StringVar(&f.dir, "dir", "", "`folder` of the situations (default those in this binary)")
	c.flags.BoolVar(&f.own, "own", false, "make workspaces for each situation, with the operator's token")
	c.flags.BoolVar(&f.json, "json", false, "tell it as JSON")
	c.flags.IntVar(&f.parallel, "parallel", 4, "how many situations are at work at `once`")
	c.run = func(ctx context.Context, p *program, args []string) error {
		if len(args) > 0 {
			return misused("too many arguments")
		}
		return p.conform(ctx, f)
	}
	return c
}

// options are where the situations are played.
func (f *conformFlags) options(env func(string) string) (conform.Options, error) {
	o := conform.Options{URL: cmp.Or(f.url, env("GRAPEVINE_URL")), Only: f.only, Parallel: f.parallel}
	if f.own {
		o.OperatorToken = env("GRAPEVINE_OPERATOR_TOKEN")
	} else {
		o.Key = cmp.Or(f.key, env("GRAPEVINE_API_KEY"))
	}
	switch {
	case o.URL == "":
		return o, misused("-url is missing")
	case f.parallel < 1:
		return o, misused("-parallel is at least 1")
	case f.own && o.OperatorToken == "":
		return o, misused("-own needs GRAPEVINE_OPERATOR_TOKEN")
	case !f.own && o.Key == "":
		return o, misused("-key is missing")
	}
	return o, nil
}

func (p *program) conform(ctx context.Context, f *conformFlags) error {
	o, err := f.options(p.env)
	if err != nil {
		return err
	}
	var pack fs.FS = conformance.FS
	if f.dir != "" {
		pack = os.DirFS(f.dir)
	}
	situations, err := conform.Load(pack)
	if err != nil {
		return err
	}
	results, err := conform.Run(ctx, o, situations)
	if err != nil {
		return err
	}
	tell := conform.Table
	if f.json {
		tell = conform.JSON
	}
	if err := tell(p.stdout, results); err != nil {
		return err
	}
	for _, r := range results {
		if !r.Held {
			return errFound
		}
	}
	return nil
}
