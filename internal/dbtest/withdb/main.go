// Command withdb runs a command with the URL of a migrated throw-away database in its environment:
//
//	go run ./internal/dbtest/withdb [-durable] [-empty] [-env NAME] -- command arg…
//
// The database is on the server that the tests share, which does without fsync; with -durable on one of its own with durable settings,
// for measurements.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func main() {
	durable := flag.Bool("durable", false, "a server of its own with durable settings")
	empty := flag.Bool("empty", false, "do not migrate")
	env := flag.String("env", "DATABASE_URL", "the variable that gets the URL")
	flag.Parse()
	code, err := run(context.Background(), *durable, *empty, *env, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "withdb:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(ctx context.Context, durable, empty bool, env string, args []string) (code int, err error) {
	if len(args) == 0 {
		return 0, errors.New("no command")
	}
	create := dbtest.Create
	switch {
	case durable:
		create = func(ctx context.Context) (string, func(context.Context) error, error) {
			return createDurable(ctx, empty)
		}
	case empty:
		create = dbtest.CreateEmpty
	}
	url, drop, err := create(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, drop(ctx)) }()
	// Ctrl-C reaches the command as well; we clean up when it has ended.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env+"="+url)
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

func createDurable(ctx context.Context, empty bool) (string, func(context.Context) error, error) {
	server, err := postgres.Start(ctx, postgres.Options{BinDir: os.Getenv("GRAPEVINE_PG_BIN"), MaxConnections: 300})
	if err != nil {
		return "", nil, err
	}
	if !empty {
		err = store.Migrate(ctx, store.Options{URL: server.OwnerURL()}, time.Now())
	}
	if err != nil {
		return "", nil, errors.Join(err, server.Stop(ctx))
	}
	return server.OwnerURL(), server.Stop, nil
}
