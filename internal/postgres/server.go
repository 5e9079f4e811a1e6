//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds the way to the first answer; crash recovery after a kill -9 is part of it.
const startTimeout = 60 * time.Second

// Server is a running PostgreSQL.
type Server struct {
	log     *slog.Logger
	opts    Options
	bin     binaries
	account account
	cluster cluster
	port    int
	scratch string   // throw-away folder, removed by Stop
	lock    *os.File // nil when another process runs the server

	mu       sync.Mutex // guards process, and stopping against a start
	process  *os.Process
	stopping chan struct{}
	done     chan struct{} // closed when postgres has ended for good
	ready    atomic.Bool
}

// Start runs the server of opts.Dir, creating it first where there is none, and returns when it answers. It fails with ErrInUse when
// another process runs it.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s := &Server{log: opts.logger(), opts: opts, stopping: make(chan struct{}), done: make(chan struct{})}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// Join is Start, except that a server that another process runs is used as it is: Stop then leaves it alone.
func Join(ctx context.Context, opts Options) (*Server, error) {
	s, err := Start(ctx, opts)
	if !errors.Is(err, ErrInUse) {
		return s, err
	}
	acct, err := chooseAccount()
	if err != nil {
		return nil, err
	}
	c, err := existingCluster(acct.reachable(opts.Dir, opts.logger()))
	if err != nil {
		return nil, err
	}
	s = &Server{log: opts.logger(), cluster: c}
	s.port, err = c.readPort()
	return s, err
}

// Exists says whether Start or Join would find data in dir, or where the account that runs the server keeps it instead.
func Exists(dir string) bool {
	acct, err := chooseAccount()
	if err != nil {
		return false
	}
	_, err = existingCluster(acct.reachable(dir, slog.New(slog.DiscardHandler)))
	return err == nil
}

// OwnerURL is the connection string of the owner: for migrations and upkeep.
func (s *Server) OwnerURL() string {
	return connectionURL(ownerName, s.cluster.ownerPassword, s.port, databaseName)
}

// AppURL is the connection string of the application's own role, which owns nothing.
func (s *Server) AppURL() string {
	return connectionURL(appName, s.cluster.appPassword, s.port, databaseName)
}

// Dir is where the server keeps its data and its log.
func (s *Server) Dir() string { return s.cluster.dir }

// Stop shuts the server down, waits until it is gone, and removes it if it was a throw-away one. When ctx ends first, open work is cut.
func (s *Server) Stop(ctx context.Context) error {
	if s.stopping == nil { // joined
		return nil
	}
	s.mu.Lock()
	if !s.ending() {
		close(s.stopping)
	}
	started := s.process != nil
	s.mu.Unlock()
	if started {
		// SIGINT ends sessions and writes everything out; SIGQUIT just ends, which is enough for data that nobody will read.
		gentle := syscall.SIGINT
		if s.scratch != "" {
			gentle = syscall.SIGQUIT
		}
		s.signal(gentle)
		select {
		case <-s.done:
		case <-ctx.Done():
			s.signal(syscall.SIGQUIT)
			<-s.done
		}
	}
	var err error
	if s.scratch != "" {
		err = os.RemoveAll(s.scratch)
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	return err
}

func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var err error
	if s.account, err = chooseAccount(); err != nil {
		return err
	}
	dir, err := s.folder()
	if err != nil {
		return err
	}
	have, err := existingCluster(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if s.bin, err = findBinaries(ctx, s.opts.BinDir, have.major, s.account, s.log); err != nil {
		return err
	}
	s.cluster = cluster{dir: filepath.Join(dir, "pg"+strconv.Itoa(s.bin.major)), major: s.bin.major}
	if err := s.account.own(s.cluster.dir); err != nil {
		return err
	}
	if s.lock, err = s.cluster.acquire(ctx); err != nil {
		return err
	}
	if err := s.cluster.initialise(ctx, s.bin, s.account, s.opts.Unsafe, s.log); err != nil {
		return err
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	first := make(chan error, 1)
	go s.supervise(first)
	if err := <-first; err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	return s.cluster.writePort(s.port)
}

// folder is where the clusters live.
func (s *Server) folder() (string, error) {
	if s.opts.Dir == "" {
		var err error
		s.scratch, err = newScratch(s.opts.Unsafe)
		return s.scratch, err
	}
	dir := s.account.reachable(s.opts.Dir, s.log)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	return filepath.Abs(dir)
}

// awaitReady returns when the server answers and has our role and database.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, connectionURL(ownerName, s.cluster.ownerPassword, s.port, "postgres"))
		if err == nil {
			s.ready.Store(true)
			err = s.cluster.createDatabase(ctx, conn)
			return errors.Join(err, conn.Close(ctx))
		}
		select {
		case <-s.done:
			return fmt.Errorf("PostgreSQL ended while starting; the end of its log:\n%s", s.cluster.logTail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w; the end of its log:\n%s", err, s.cluster.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// newScratch makes a throw-away folder: on disk, or in memory where nobody asks for durability.
func newScratch(unsafe bool) (string, error) {
	parent := os.TempDir()
	if memory := memoryFolder(); memory != "" && unsafe {
		parent = memory
	}
	sweepScratch(parent)
	dir, err := os.MkdirTemp(parent, scratchPrefix)
	if err != nil {
		return "", fmt.Errorf("make a throw-away folder: %w", err)
	}
	return dir, os.Chmod(dir, 0o711) // the account that runs postgres must get through
}

// sweepScratch removes what throw-away servers left behind whose owner was killed: nobody holds their lock any more.
func sweepScratch(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, scratchPrefix+"*", "pg*", "lock"))
	for _, path := range locks {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // made a moment ago, perhaps not locked yet
		}
		if lock, err := tryLock(path); err == nil {
			_ = os.RemoveAll(filepath.Dir(filepath.Dir(path))) // another sweeper may be at it too
			_ = lock.Close()
		}
	}
}
