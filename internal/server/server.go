package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Options are what the edge needs to know. Zero values are safe: no operator, no trusted proxy, default limits.
type Options struct {
	Log *slog.Logger

	PublicURL      string         // how the outside reaches this server, without a slash at the end; empty: http://localhost:8080
	OperatorToken  string         // may create workspaces; empty: nobody may
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	AllowedOrigins []string       // pages that may use publishable keys, as https://shop.example; empty: none
	RateLimit      Rate           // per API key; zero: no limit
	MaxFactAge     time.Duration  // how far back facts may claim to have occurred; 0: engine.DefaultMaxPast
	MaxBodyBytes   int64          // 0: 1 MiB; batches may be four times as large
	MaxInFlight    int            // requests worked on at once; 0: 512
	MaxConnections int            // open at once, others wait; 0: 2048

	RequestTimeout    time.Duration // to work on a request; 0: 15 s
	ReadHeaderTimeout time.Duration // 0: 5 s
	ReadTimeout       time.Duration // 0: 15 s
	IdleTimeout       time.Duration // 0: 2 min
	DrainTimeout      time.Duration // to finish what has begun when stopping; 0: 30 s
	DrainDelay        time.Duration // to fail readiness before connections are refused when stopping; 0: none

	AllowPrivateTargets bool // payouts may be posted to addresses that are not public, and by http: for tests and closed networks

	// Collectors are metrics of others, for /metrics.
	Collectors []prometheus.Collector

	// Ready says whether requests can be worked on, for /readyz; nil: always.
	Ready func(context.Context) error

	// MissesPerNetwork and MissesInAll slow down guessing of codes; zero: 1 per second after 120, and 100 per second after 6,000.
	MissesPerNetwork, MissesInAll Rate

	// BadKeysPerNetwork slows down guessing of API keys; zero: 5 per second after 1,000.
	BadKeysPerNetwork Rate
}

// Server is the HTTP edge and everything behind it.
type Server struct {
	log        *slog.Logger
	echo       *echo.Echo
	pages      *http.ServeMux
	operations operations
	auth       *authenticator
	limiter    *limiter
	misses     *missBudget
	slots      slots
	metrics    *metrics
	trusted    []netip.Prefix
	timeout    time.Duration
	options    Options
	draining   atomic.Bool
	logged     logBudget
	clicks     *clicks.Clicks
	stops      []func(context.Context) error // what to finish when the last request is answered
}

// newServer makes a server over the contract and the handlers of its operations.
func newServer(o Options, load keyLoader, handlers func(*Server) api.StrictServerInterface) (*Server, error) {
	o.setDefaults()
	table, err := loadOperations(gen.OpenAPIJSON, o.MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	badKeys, err := newMissBudget(o.BadKeysPerNetwork, Rate{})
	if err != nil {
		return nil, err
	}
	s := &Server{
		log: o.Log, pages: pages(), operations: table, auth: newAuthenticator(load, o.OperatorToken, badKeys),
		slots: make(slots, o.MaxInFlight), metrics: newMetrics(), trusted: o.TrustedProxies, timeout: o.RequestTimeout, options: o,
	}
	s.metrics.registry.MustRegister(o.Collectors...)
	if s.limiter, err = newLimiter("key", o.RateLimit); err != nil {
		return nil, err
	}
	if s.misses, err = newMissBudget(o.MissesPerNetwork, o.MissesInAll); err != nil {
		return nil, err
	}
	s.echo = s.newEcho(handlers(s))
	return s, nil
}

func (o *Options) setDefaults() {
	orElse(&o.PublicURL, "http://localhost:8080")
	orElse(&o.MaxFactAge, engine.DefaultMaxPast)
	orElse(&o.MaxBodyBytes, 1<<20)
	orElse(&o.MaxInFlight, 512)
	orElse(&o.MaxConnections, 2048)
	orElse(&o.RequestTimeout, 15*time.Second)
	orElse(&o.ReadHeaderTimeout, 5*time.Second)
	orElse(&o.ReadTimeout, 15*time.Second)
	orElse(&o.IdleTimeout, 2*time.Minute)
	orElse(&o.DrainTimeout, 30*time.Second)
	orElse(&o.MissesPerNetwork, Rate{PerSecond: 1, Burst: 120})
	orElse(&o.MissesInAll, Rate{PerSecond: 100, Burst: 6000})
	orElse(&o.BadKeysPerNetwork, Rate{PerSecond: 5, Burst: 1000})
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
}

func orElse[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

func (s *Server) newEcho(handlers api.StrictServerInterface) *echo.Echo {
	e := echo.New()
	e.Binder = binder{}
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if c.Response().Committed {
			s.log.LogAttrs(c.Request().Context(), slog.LevelWarn, "answer was cut",
				slog.String("request_id", requestFrom(c.Request().Context()).id), slog.String("cause", store.LogText(err)))
			return
		}
		s.fail(c.Response(), c.Request(), err)
	}
	// Nothing here asks Echo for the client's address, but whoever does must not get what the client made up.
	e.IPExtractor = func(r *http.Request) string { return clientAddress(r, s.trusted).String() }
	e.Use(s.admit)
	api.RegisterHandlers(e, api.NewStrictHandler(handlers, []api.StrictMiddlewareFunc{refuseNothing}))
	return e
}

// refuseNothing keeps a handler that answers neither a response nor an error from becoming a 200 without a body.
func refuseNothing(next api.StrictHandlerFunc, operationID string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		response, err := next(c, request)
		if err == nil && response == nil {
			err = fmt.Errorf("%s answered nothing", operationID)
		}
		return response, err
	}
}

// system gives the handlers of the operations about the server itself.
func (s *Server) system() system {
	return system{registry: s.metrics.registry, ready: func(ctx context.Context) error {
		if s.draining.Load() {
			return errors.New("shutting down")
		}
		return s.options.Ready(ctx)
	}}
}

// finishTimeout is how long what runs beside the requests gets to end after the last of them: more than the lane of clicks waits for
// a commit.
const finishTimeout = 15 * time.Second

// Run answers requests on the listener until the context ends, then finishes what has begun: readiness fails first, no new
// connections are taken, and running requests get the drain timeout.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.options.ReadHeaderTimeout,
		ReadTimeout:       s.options.ReadTimeout,
		WriteTimeout:      s.options.ReadTimeout + s.options.RequestTimeout + 10*time.Second,
		IdleTimeout:       s.options.IdleTimeout,
		MaxHeaderBytes:    mostHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		// OPTIONS * would otherwise be answered by net/http itself.
		DisableGeneralOptionsHandler: true,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(guard{listener, make(chan struct{}, s.options.MaxConnections)}) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	time.Sleep(s.options.DrainDelay)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.DrainTimeout)
	defer cancel()
	var errs error
	if err := server.Shutdown(drain); err != nil {
		errs = errors.Join(fmt.Errorf("requests were cut when stopping: %w", err), server.Close())
	}
	// Requests that were cut must not take the time from what they left behind.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	for _, stop := range s.stops {
		errs = errors.Join(errs, stop(finish))
	}
	return errs
}
