package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/postgres"
)

// runAsProgram makes the test binary stand for the program, so that tests have real processes to signal and to kill.
const runAsProgram = "GRAPEVINE_TEST_RUN_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(runAsProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is `grapevine serve`, running.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	took   time.Duration // until it served
	stdout *text
	stderr *text
	ended  chan struct{}
	err    error // of the process; read after ended
}

// text is what a process writes, readable while it writes.
type text struct {
	mu   sync.Mutex
	b    bytes.Buffer
	news chan struct{}
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
	return w.b.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func newText() *text { return &text{news: make(chan struct{}, 1)} }

// begin starts `grapevine` with arguments and an environment of "NAME=value", and nothing else of this process's environment that the
// program reads.
func begin(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(self, args...), stdout: newText(), stderr: newText(), ended: make(chan struct{})}
	p.cmd.Dir = dir
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GRAPEVINE_") && !strings.HasPrefix(pair, "DATABASE_URL=") || strings.HasPrefix(pair, "GRAPEVINE_PG_BIN=") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, runAsProgram+"=yes"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
	})
	return p
}

// serve starts a server on a free port and returns when it answers.
func serve(t *testing.T, dir string, env []string, flags ...string) *process {
	t.Helper()
	start := time.Now()
	p := begin(t, dir, append(env, "GRAPEVINE_LISTEN=127.0.0.1:0"), append([]string{"serve"}, flags...)...)
	p.url = p.await(p.stderr, "is not serving", func(written string) string {
		for line := range strings.Lines(written) {
			var entry struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
				return "http://" + entry.Address
			}
		}
		return ""
	})
	p.took = time.Since(start)
	return p
}

// await waits until what is written holds something, and gives that.
func (p *process) await(w *text, complaint string, find func(written string) string) string {
	p.t.Helper()
	limit := time.After(time.Minute)
	for {
		if found := find(w.String()); found != "" {
			return found
		}
		select {
		case <-w.news:
		case <-p.ended:
			if found := find(w.String()); found != "" {
				return found
			}
			p.t.Fatalf("the process ended (%v) and %s:\n%s%s", p.err, complaint, p.stdout, p.stderr)
		case <-limit:
			p.t.Fatalf("the process %s:\n%s%s", complaint, p.stdout, p.stderr)
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
}

// wait gives the exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatalf("the process does not end:\n%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the server as an operator does.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.t.Errorf("exit status %d after SIGTERM:\n%s", code, p.stderr)
	}
}

// ran runs a command that ends by itself, in this process.
func ran(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, func(name string) string {
		if name == "GRAPEVINE_PG_BIN" {
			return os.Getenv(name)
		}
		return env[name]
	}, &out, &errs)
	return code, out.String(), errs.String()
}

// get asks the server for a path.
func (p *process) get(path string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(bufio.NewReader(res.Body))
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// reachableDir is a folder that the account can enter to which root hands PostgreSQL.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grapevine-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ownerURLOf is the owner's address of the database that a server keeps in its folder.
func ownerURLOf(t *testing.T, dir string) string {
	t.Helper()
	s, err := postgres.Join(t.Context(), postgres.Options{Dir: filepath.Join(dir, ".data"), BinDir: os.Getenv("GRAPEVINE_PG_BIN")})
	if err != nil {
		t.Fatal(err)
	}
	return s.OwnerURL()
}
