//go:build unix

package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const helperFolder = "GRAPEVINE_POSTGRES_TEST_HELPER"

// TestMain lets the test binary stand for a server process that can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(helperFolder); dir != "" {
		s, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println(s.OwnerURL())
		select {}
	}
	os.Exit(m.Run())
}

func TestAFolderKeepsItsDataDurablyBetweenStarts(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: reachableDir(t)}
	begin := time.Now()
	s := start(t, opts)
	t.Logf("first start with initdb: %v", time.Since(begin).Round(time.Millisecond))

	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if got := query(t, s.OwnerURL(), "SELECT current_setting($1)", setting); got != "on" {
			t.Errorf("%s is %s", setting, got)
		}
	}
	if got := query(t, s.AppURL(), "SELECT concat(current_user, ' ', rolsuper, ' ', rolcreaterole) FROM pg_roles WHERE rolname = current_user"); got != "grapevine_app f f" {
		t.Errorf("the application's role is %q", got)
	}
	query(t, s.OwnerURL(), "SELECT 'x' INTO kept")
	stop(t, s)

	begin = time.Now()
	s = start(t, opts)
	warm := time.Since(begin)
	t.Logf("second start: %v", warm.Round(time.Millisecond))
	if warm > 2*time.Second {
		t.Errorf("a start with data takes %v", warm)
	}
	if got := query(t, s.OwnerURL(), "SELECT * FROM kept"); got != "x" {
		t.Errorf("kept = %q", got)
	}
	stop(t, s)
}

func TestAFolderHasOneOwner(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: reachableDir(t), Unsafe: true}
	s := start(t, opts)

	if _, err := Start(t.Context(), opts); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second start gave %v", err)
	}
	joined, err := Join(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if joined.OwnerURL() != s.OwnerURL() || joined.AppURL() != s.AppURL() {
		t.Error("the one who joined has other addresses")
	}
	stop(t, joined)
	if got := query(t, s.AppURL(), "SELECT 'up'"); got != "up" {
		t.Error("the server ended when the one who joined left")
	}
	stop(t, s)
}

func TestTheServerEndsCleanlyWhenItsOwnerIsKilled(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), helperFolder+"="+dir)
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(url, "postgres://") {
		t.Fatalf("%v %q", err, url)
	}
	query(t, strings.TrimSpace(url), "SELECT 'x' INTO kept")
	if err := owner.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // "signal: killed"

	begin := time.Now()
	c, err := existingCluster(dir)
	if err != nil {
		t.Fatal(err)
	}
	for runtime.GOOS == "linux" { // elsewhere the next start stops the orphan
		lock, err := tryLock(c.path("lock"))
		if err == nil {
			_ = lock.Close()
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("the server outlives its owner: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("gone %v after its owner", time.Since(begin).Round(time.Millisecond))

	s := start(t, Options{Dir: dir})
	if got := query(t, s.OwnerURL(), "SELECT * FROM kept"); got != "x" {
		t.Errorf("kept = %q", got)
	}
	if log := s.cluster.logTail(); strings.Contains(log, "not properly shut down") {
		t.Errorf("recovery was needed:\n%s", log)
	}
	stop(t, s)
}

func TestAKilledServerComesBackOnTheSamePort(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Unsafe: true})
	url := s.OwnerURL()
	if err := syscall.Kill(firstNumber(filepath.Join(s.cluster.data(), "postmaster.pid")), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := pgx.Connect(t.Context(), url)
		if err == nil {
			err = conn.Close(t.Context())
		}
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	scratch := s.scratch
	stop(t, s)
	if _, err := os.Stat(scratch); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the throw-away folder is still there: %v", err)
	}
}

// reachableDir is a new folder that any account can get to, which t.TempDir is not: its parent belongs to one user.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grapevine-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	begin := time.Now()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("stopping took %v", d)
	}
}

// query runs a statement and gives the first column of its first row, "" if there is none.
func query(t *testing.T, url, sql string, args ...any) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var text string
	err = conn.QueryRow(t.Context(), sql, args...).Scan(&text)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return text
}
