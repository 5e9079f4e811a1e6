//go:build unix

package postgres

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

var errStopping = errors.New("the server is being stopped")

// supervise keeps postgres running until Stop; the outcome of the first start goes to first. It holds on to its thread: the
// parent-death signal is sent when the thread that started the child ends, not when the process does.
func (s *Server) supervise(first chan<- error) {
	runtime.LockOSThread()
	defer close(s.done)
	for {
		cmd, err := s.spawn()
		select {
		case first <- err:
		default:
		}
		if err == nil {
			err = cmd.Wait()
		}
		if s.ending() || !s.ready.Load() {
			return
		}
		s.log.Error("PostgreSQL ended by itself and is started again", "error", err, "log", s.cluster.logFile())
		select {
		case <-s.stopping:
			return
		case <-time.After(500 * time.Millisecond): // children of a killed server hold its memory for a moment longer
		}
	}
}

func (s *Server) spawn() (*exec.Cmd, error) {
	logFile, err := os.OpenFile(s.cluster.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close() // the child has its own
	cmd := s.account.command(context.Background(), s.cluster.dir, s.bin.program("postgres"), s.arguments()...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = []*os.File{s.lock} // the folder stays locked as long as any process of the server lives
	cmd.SysProcAttr.Setpgid = true      // Ctrl-C at the terminal is for us; we stop the server when we are done with it
	dieWithParent(cmd.SysProcAttr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending() {
		return nil, errStopping
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.process = cmd.Process
	return cmd, nil
}

// arguments put what matters on the command line, where it overrules the folder's own configuration.
func (s *Server) arguments() []string {
	durable := "on"
	if s.opts.Unsafe {
		durable = "off"
	}
	args := []string{"-D", s.cluster.data()}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(s.port),
		"unix_socket_directories=",
		"max_connections=" + strconv.Itoa(s.opts.maxConnections()),
		"timezone=UTC",
		"log_timezone=UTC",
		"fsync=" + durable,
		"full_page_writes=" + durable,
		"synchronous_commit=" + durable,
		// A new database grows from nothing: until a table is analysed, its cached plans are guesses.
		"autovacuum_naptime=1s",
	} {
		args = append(args, "-c", setting)
	}
	return args
}

func (s *Server) ending() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("PostgreSQL cannot be signalled", "error", err)
	}
}
