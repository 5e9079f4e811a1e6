//go:build unix

package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/postgres"
)

const (
	serverVersion = "1" // a new one when processes of the old kind cannot share the server
	keeperEnv     = "GRAPEVINE_DBTEST_KEEPER"
	citusEnv      = "GRAPEVINE_TEST_CITUS_URL"
	idleChecks    = 5 // seconds without a user until the server ends
)

// The shared server is kept by a process of its own, so that no test process has to outlive the others: any binary that imports this
// package, started again with keeperEnv set. That is the one reason for an init here.
func init() {
	if dir := os.Getenv(keeperEnv); dir != "" {
		if err := keep(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// serverURL is the owner's URL of the server, found or started once per process.
var serverURL = func() func(context.Context) (string, error) {
	var (
		mu  sync.Mutex
		url string
	)
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if url != "" {
			return url, nil
		}
		for _, name := range []string{citusEnv, "GRAPEVINE_TEST_DATABASE_URL", "DATABASE_URL"} {
			if url = os.Getenv(name); url != "" {
				return url, nil
			}
		}
		var err error
		url, err = joinShared(ctx)
		return url, err
	}
}()

// shares keeps this process's share of the server; a file that nobody refers to is closed, and that would end it.
var shares []*os.File

// joinShared uses the shared server, starting it when it is not there. This process counts as a user until it ends, however it ends:
// it holds a shared lock.
func joinShared(ctx context.Context) (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("grapevine-dbtest-%d-%s", os.Geteuid(), serverVersion))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	share, err := flock(filepath.Join(dir, "users"), syscall.LOCK_SH)
	if err != nil {
		return "", err
	}
	shares = append(shares, share)
	starting, err := flock(filepath.Join(dir, "starting"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer starting.Close()
	if url, err := answering(ctx, dir); err == nil {
		return url, nil
	}
	return startKeeper(ctx, dir)
}

func startKeeper(ctx context.Context, dir string) (string, error) {
	if err := os.Remove(filepath.Join(dir, "url")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", err
	}
	defer logFile.Close()
	cmd := exec.Command(program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), keeperEnv+"="+dir)
	cmd.Stderr = logFile // not ours: `go test` waits until everybody has let go of that
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		if url, err := answering(ctx, dir); err == nil {
			return url, nil
		}
		select {
		case err := <-ended:
			text, _ := os.ReadFile(logFile.Name())
			return "", fmt.Errorf("the test server did not start: %w: %s", err, text)
		case <-ctx.Done():
			return "", fmt.Errorf("the test server did not start: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answering reads the server's URL and tries it.
func answering(ctx context.Context, dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil {
		return "", err
	}
	url := strings.TrimSpace(string(text))
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	return url, conn.Close(ctx)
}

// keep runs the server until nobody has used it for some seconds.
func keep(dir string) (err error) {
	ctx := context.Background()
	server, err := postgres.Start(ctx, postgres.Options{BinDir: os.Getenv("GRAPEVINE_PG_BIN"), Unsafe: true, MaxConnections: 300})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(ctx)) }()
	fresh := filepath.Join(dir, "url.new")
	if err := os.WriteFile(fresh, []byte(server.OwnerURL()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(dir, "url")); err != nil {
		return err
	}
	for idle := 0; ; {
		time.Sleep(time.Second)
		users, err := flock(filepath.Join(dir, "users"), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			idle = 0
			continue
		}
		if idle++; idle >= idleChecks {
			defer users.Close() // newcomers wait until the server is gone, then start another
			return os.Remove(filepath.Join(dir, "url"))
		}
		if err := users.Close(); err != nil {
			return err
		}
	}
}

func flock(path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, file.Close())
		}
	}
}
