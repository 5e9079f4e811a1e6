package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

// Options say where the database is and how it is used. Only URL must be set.
type Options struct {
	URL      string // for requests
	OwnerURL string // for migrations and partitions; empty: URL

	MaxConns         int           // 0 means 32
	StatementMode    string        // cache_statement, or cache_describe behind a transaction pooler; empty: cache_statement
	StatementTimeout time.Duration // 0 means 10 s; the commit is not bound by it
	LockTimeout      time.Duration // wait for a row or table lock; 0 means 5 s
	AcquireTimeout   time.Duration // wait for a free connection; 0 means 5 s
	CommitTimeout    time.Duration // wait for the answer to COMMIT; 0 means 30 s

	Log *slog.Logger

	Tracer pgx.QueryTracer // sees every statement; nil: nobody does
}

func (o Options) withDefaults() Options {
	o.OwnerURL = cmp.Or(o.OwnerURL, o.URL)
	o.MaxConns = min(cmp.Or(o.MaxConns, 32), math.MaxInt32)
	o.StatementMode = cmp.Or(o.StatementMode, "cache_statement")
	o.StatementTimeout = cmp.Or(o.StatementTimeout, 10*time.Second)
	o.LockTimeout = cmp.Or(o.LockTimeout, 5*time.Second)
	o.AcquireTimeout = cmp.Or(o.AcquireTimeout, 5*time.Second)
	o.CommitTimeout = cmp.Or(o.CommitTimeout, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// idleInTransaction bounds a transaction whose process is stuck or cut off, so that its locks do not stay.
const idleInTransaction = 10 * time.Second

// Store is the database as the rest of the program sees it.
type Store struct {
	opts Options
	pool *pgxpool.Pool
	log  *slog.Logger
}

// Open connects, and checks that the connections can do no more than the application's role. The schema must be there: EnsureRole and
// Migrator come first.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	config, err := poolConfig(opts)
	if err != nil {
		return nil, err
	}
	return open(ctx, opts, config)
}

func open(ctx context.Context, opts Options, config *pgxpool.Config) (*Store, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{opts: opts, pool: pool, log: opts.Log}
	if err := s.checkRole(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

func poolConfig(opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err) // pgx masks the password
	}
	config.MaxConns = int32(opts.MaxConns)
	config.MinIdleConns = int32(min(2, opts.MaxConns))
	config.MaxConnLifetime = 30 * time.Minute
	config.MaxConnLifetimeJitter = 5 * time.Minute
	config.MaxConnIdleTime = 5 * time.Minute
	config.PingTimeout = opts.AcquireTimeout
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, opts.AcquireTimeout)
	config.ConnConfig.OnNotice = noteWarning
	config.ConnConfig.Tracer = opts.Tracer

	params := config.ConnConfig.RuntimeParams
	params["application_name"] = cmp.Or(params["application_name"], "grapevine")
	params["timezone"] = "UTC"
	switch opts.StatementMode {
	case "cache_statement":
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
		params["role"] = AppRole
		for name, value := range sessionSettings(opts) {
			params[name] = value
		}
	case "cache_describe": // a pooler refuses other parameters at the start: there they come with the login, see EnsureRole
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	default:
		return nil, fmt.Errorf("store: unknown statement mode %q", opts.StatementMode)
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		// Times arrive in the process's zone otherwise.
		utc := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
		conn.TypeMap().RegisterType(utc)
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID, Codec: &pgtype.ArrayCodec{ElementType: utc}})
		return nil
	}
	return config, nil
}

func sessionSettings(opts Options) map[string]string {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return map[string]string{
		"lock_timeout":                        milliseconds(opts.LockTimeout),
		"statement_timeout":                   milliseconds(opts.StatementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
	}
}

// checkRole refuses connections that the database would let do what the application must not.
func (s *Store) checkRole(ctx context.Context) error {
	var user string
	var super, owner bool
	err := s.DB(uuid.Nil).QueryRow(ctx, `
		SELECT current_user::text, rolsuper,
			EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND pg_has_role(current_user, relowner, 'MEMBER'))
		FROM pg_roles WHERE rolname = current_user`).Scan(&user, &super, &owner)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if super || owner {
		return fmt.Errorf("store: the database role %s is a superuser or owns tables; requests must be worked on in the role %s", user, AppRole)
	}
	return nil
}

// Close waits for open work and closes the pool.
func (s *Store) Close() { s.pool.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return toProblem(s.pool.Ping(ctx)) }

// Stat tells the state of the pool, for metrics.
func (s *Store) Stat() *pgxpool.Stat { return s.pool.Stat() }

// DB returns the pool of a workspace, for single statements outside a transaction. There is one pool as long as there is one database.
func (s *Store) DB(uuid.UUID) DBTX { return namedDB{db: s.pool, fix: toProblem} }

func (s *Store) acquire(ctx context.Context, _ uuid.UUID) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, s.opts.AcquireTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(wait)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil, problem.Overloaded.Wrap(fmt.Errorf("store: no free connection: %w", err))
	}
	return conn, err
}
