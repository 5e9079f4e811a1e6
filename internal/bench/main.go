// Command bench measures the hot paths beside their limits, on a durable throw-away PostgreSQL of its own:
//
//	make bench
//	go run ./internal/bench -time 5s -rounds 7 clicks
//
// Every way of doing a thing is measured in turn, round after round, so that a busy machine is busy for all of them; what counts are
// the ratios of the medians. Load generator, server and database share the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// benchmark is one part of the program. It prints its table, and fails when a promise does not hold; a slow machine is no failure.
type benchmark struct {
	name string
	run  func(context.Context, *bed) error
}

var benchmarks = []benchmark{
	{"clicks", benchClicks},
	{"signups", benchSignups},
	{"purchases", benchPurchases},
	{"tree", benchTree},
}

// bed is what benchmarks run on.
type bed struct {
	store   *store.Store
	options store.Options
	url     string // the owner's
	time    time.Duration
	rounds  int
}

func main() {
	if os.Getenv(loadEnv) != "" {
		generateLoad(os.Stdin, os.Stdout)
		return
	}
	span := flag.Duration("time", 2*time.Second, "time of one measurement")
	rounds := flag.Int("rounds", 5, "measurements of each way")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [flags] [name of the only benchmark to run]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), *span, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, span time.Duration, rounds int) (err error) {
	if only != "" && !slices.ContainsFunc(benchmarks, func(b benchmark) bool { return b.name == only }) {
		return fmt.Errorf("there is no benchmark %s", only)
	}
	database, err := postgres.Start(ctx, postgres.Options{BinDir: os.Getenv("GRAPEVINE_PG_BIN"), MaxConnections: 300})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Stop(context.WithoutCancel(ctx))) }()
	options := store.Options{URL: database.AppURL(), OwnerURL: database.OwnerURL(), MaxConns: 160}
	if err := store.Migrate(ctx, options, time.Now()); err != nil {
		return err
	}
	s, err := store.Open(ctx, options)
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Printf("%d cores, %s, %d rounds of %v each\n", runtime.NumCPU(), runtime.Version(), rounds, span)
	for _, b := range benchmarks {
		if only == "" || only == b.name {
			if err := b.run(ctx, &bed{store: s, options: options, url: database.OwnerURL(), time: span, rounds: rounds}); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
		}
	}
	return nil
}

// serve runs the real server on a store. It believes the load generator's X-Forwarded-For, so that there are visitors to tell apart.
func serve(ctx context.Context, st *store.Store) (stop func(), address string, err error) {
	s, err := server.New(server.Options{
		Log:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, st)
	if err != nil {
		return nil, "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listener) }()
	return func() { cancel(); <-done }, listener.Addr().String(), nil
}
