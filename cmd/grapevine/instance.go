package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/payout"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/store"
	"github.com/grapevine-referrals/grapevine/internal/worker"
)

// instance is one server: everything between the listener and the database.
type instance struct {
	store    *store.Store
	engine   *engine.Engine
	edge     *server.Server
	worker   *worker.Worker
	listener net.Listener
	url      string // how the outside reaches it
	log      *slog.Logger
}

// newInstance opens a database that is prepared, and listens. Nothing is answered before run.
func newInstance(ctx context.Context, cfg config.Config, d *database, log *slog.Logger) (*instance, error) {
	st, err := d.open(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	i := &instance{store: st, engine: engine.New(log).PayThrough(payout.New(cfg.AllowPrivateTargets)), log: log}
	if err := i.assemble(ctx, cfg); err != nil {
		st.Close()
		return nil, err
	}
	return i, nil
}

func (i *instance) assemble(ctx context.Context, cfg config.Config) error {
	if err := i.store.CheckDurability(ctx); err != nil && !cfg.AllowUnsafeDurability {
		return fmt.Errorf("%w; GRAPEVINE_ALLOW_UNSAFE_DURABILITY=true serves all the same", err)
	} else if err != nil {
		i.log.Warn("serving without durability", "error", err)
	}
	if err := i.store.CheckDistribution(ctx); err != nil {
		return err
	}
	var err error
	if i.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return fmt.Errorf("%w; GRAPEVINE_LISTEN names another address", err)
	}
	if i.url = cfg.PublicURL; i.url == "" {
		i.url = "http://" + reachable(i.listener.Addr())
	}
	i.worker = worker.New(worker.Options{
		Store: i.store, Engine: i.engine, Log: i.log, KeepClicks: time.Duration(cfg.KeepClicksDays) * 24 * time.Hour, MaxFactAge: cfg.MaxFactAge,
	})
	i.edge, err = server.New(server.Options{
		Log: i.log, PublicURL: i.url, OperatorToken: cfg.OperatorToken, TrustedProxies: cfg.TrustedProxies, AllowedOrigins: cfg.AllowedOrigins,
		MaxFactAge: cfg.MaxFactAge, RateLimit: server.Rate{PerSecond: cfg.RateLimit}, MaxBodyBytes: int64(cfg.MaxBodyBytes),
		RequestTimeout: cfg.RequestTimeout, ReadHeaderTimeout: cfg.ReadHeaderTimeout, ReadTimeout: cfg.ReadTimeout,
		IdleTimeout: cfg.IdleTimeout, DrainDelay: cfg.DrainDelay, DrainTimeout: cfg.DrainTimeout,
		AllowPrivateTargets: cfg.AllowPrivateTargets, Collectors: i.worker.Metrics(),
	}, i.store)
	if err != nil {
		return errors.Join(err, i.listener.Close())
	}
	return nil
}

// reachable is an address by which this machine reaches a listener, also one that listens everywhere.
func reachable(a net.Addr) string {
	bound, err := netip.ParseAddrPort(a.String())
	if err != nil || !bound.Addr().IsUnspecified() {
		return a.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), bound.Port()).String()
}

// run answers until the context ends, then stops in the order in which nothing is lost: no new requests, those at work finish, the
// clicks that are queued are committed, the worker ends, the pool closes.
func (i *instance) run(ctx context.Context) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.worker.Run(working)
	}()
	err := i.edge.Run(ctx, i.listener)
	stop()
	<-done
	i.store.Close()
	return err
}
