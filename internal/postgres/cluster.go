//go:build unix

package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// cluster is the folder of one server: data, the passwords, the lock, the port of the running server and its log.
type cluster struct {
	dir           string
	major         int
	ownerPassword string
	appPassword   string
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }
func (c *cluster) data() string            { return c.path("data") }
func (c *cluster) logFile() string         { return c.path("postgres.log") }

// existingCluster finds the newest cluster under dir with data in it, or os.ErrNotExist.
func existingCluster(dir string) (cluster, error) {
	versions, err := filepath.Glob(filepath.Join(dir, "pg*", "data", "PG_VERSION"))
	if err != nil {
		return cluster{}, err
	}
	found := cluster{}
	for _, path := range versions {
		text, err := os.ReadFile(path)
		if err != nil {
			return cluster{}, fmt.Errorf("read the version of the data: %w", err)
		}
		major, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return cluster{}, fmt.Errorf("%s: %w", path, err)
		}
		if major > found.major {
			found = cluster{dir: filepath.Dir(filepath.Dir(path)), major: major}
		}
	}
	if found.major == 0 {
		return cluster{}, os.ErrNotExist
	}
	return found, found.readPasswords()
}

// acquire locks the folder. While the lock's last owner is dead its server is on its way out, or orphaned where there is no parent-death
// signal; it is told to stop and waited for.
func (c *cluster) acquire(ctx context.Context) (*os.File, error) {
	told := false
	for {
		lock, err := tryLock(c.path("lock"))
		if err == nil {
			if err = lock.Truncate(0); err == nil {
				_, err = lock.WriteString(strconv.Itoa(os.Getpid()) + "\n")
			}
			return lock, err
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the database folder: %w", err)
		}
		if owner := firstNumber(c.path("lock")); owner > 0 && alive(owner) {
			return nil, fmt.Errorf("%s: %w (pid %d)", c.dir, ErrInUse, owner)
		}
		if postmaster := firstNumber(filepath.Join(c.data(), "postmaster.pid")); postmaster > 0 && !told {
			told = true
			_ = syscall.Kill(postmaster, syscall.SIGINT) // it may have gone by itself
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", c.dir, ErrInUse)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// initialise makes the cluster where there is none. It appears under its name only when it is complete.
func (c *cluster) initialise(ctx context.Context, bin binaries, acct account, unsafe bool, log *slog.Logger) error {
	if err := os.Truncate(c.logFile(), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); err == nil {
		return c.readPasswords()
	}
	log.Info("making a database", "folder", c.dir, "programs", bin.dir)
	for _, name := range []string{"owner.password", "app.password"} {
		if err := acct.writeFile(c.path(name), rand.Text()); err != nil {
			return err
		}
	}
	if err := c.readPasswords(); err != nil {
		return err
	}
	fresh := c.path("data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + fresh, "--username=" + ownerName, "--pwfile=" + c.path("owner.password"),
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
	}
	if unsafe {
		args = append(args, "--no-sync")
	}
	if out, err := acct.command(ctx, c.dir, bin.program("initdb"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, bytes.TrimSpace(out))
	}
	return os.Rename(fresh, c.data())
}

// createDatabase makes what initdb does not: the application's role, which comes first because the database is what a later start looks for.
func (c *cluster) createDatabase(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", databaseName).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := conn.Exec(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", appName, c.appPassword))
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); err != nil && (!ok || pgErr.Code != "42710") { // 42710: an earlier attempt got this far
		return fmt.Errorf("create the application's role: %w", err)
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

func (c *cluster) readPasswords() error {
	owner, err := os.ReadFile(c.path("owner.password"))
	if err != nil {
		return fmt.Errorf("read the database's passwords: %w", err)
	}
	app, err := os.ReadFile(c.path("app.password"))
	if err != nil {
		return fmt.Errorf("read the database's passwords: %w", err)
	}
	c.ownerPassword, c.appPassword = strings.TrimSpace(string(owner)), strings.TrimSpace(string(app))
	return nil
}

func (c *cluster) writePort(port int) error {
	return os.WriteFile(c.path("port"), []byte(strconv.Itoa(port)+"\n"), 0o600)
}

func (c *cluster) readPort() (int, error) {
	if port := firstNumber(c.path("port")); port > 0 {
		return port, nil
	}
	return 0, fmt.Errorf("%s: the running server has not told its port yet", c.dir)
}

func (c *cluster) logTail() string {
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// tryLock takes the lock of a file, or fails with EWOULDBLOCK. The lock belongs to the open file: it ends when every process that
// inherited it has ended.
func tryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// firstNumber reads the number on a file's first line; 0 when there is none.
func firstNumber(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return n
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
