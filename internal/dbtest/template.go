package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/store"
	"github.com/grapevine-referrals/grapevine/sql/migrations"
)

// Create makes a migrated database and returns the owner's URL and what drops it.
func Create(ctx context.Context) (string, func(context.Context) error, error) {
	server, err := serverURL(ctx)
	if err != nil {
		return "", nil, err
	}
	if os.Getenv(citusEnv) != "" {
		return createDistributed(ctx)
	}
	template, err := ensureDatabase(ctx, server, "template")
	if err != nil {
		return "", nil, err
	}
	return createDatabase(ctx, server, " TEMPLATE "+template)
}

// CreateEmpty makes a database without a schema.
func CreateEmpty(ctx context.Context) (string, func(context.Context) error, error) {
	server, err := serverURL(ctx)
	if err != nil {
		return "", nil, err
	}
	if err := store.EnsureRole(ctx, store.Options{URL: server}); err != nil {
		return "", nil, err
	}
	return createDatabase(ctx, server, "")
}

// createDistributed makes a migrated database on Citus.
func createDistributed(ctx context.Context) (string, func(context.Context) error, error) {
	url, drop, err := CreateEmpty(ctx)
	if err != nil {
		return "", nil, err
	}
	if err := store.Migrate(ctx, store.Options{URL: url}, time.Now()); err != nil {
		return "", nil, errors.Join(fmt.Errorf("migrate a test database: %w", err), drop(ctx))
	}
	return url, drop, nil
}

// addCitus makes a database of a Citus server a distributed one.
func addCitus(ctx context.Context, url string) error {
	if os.Getenv(citusEnv) == "" {
		return nil
	}
	return execOn(ctx, url, "CREATE EXTENSION citus; SELECT citus_set_coordinator_host('localhost', current_setting('port')::int)")
}

// sharedDistributed is the shared database of this process on Citus, where none can be renamed once it is complete.
var sharedDistributed = sync.OnceValues(func() (string, error) {
	url, _, err := createDistributed(context.Background())
	return url, err
})

func sharedDatabase(ctx context.Context) (string, error) {
	if os.Getenv(citusEnv) != "" {
		return sharedDistributed()
	}
	server, err := serverURL(ctx)
	if err != nil {
		return "", err
	}
	name, err := ensureDatabase(ctx, server, "shared")
	return withDatabase(server, name), err
}

func createDatabase(ctx context.Context, server, from string) (string, func(context.Context) error, error) {
	name := "grapevine_test_" + strings.ToLower(rand.Text())
	if err := execOn(ctx, server, "CREATE DATABASE "+name+from); err != nil {
		return "", nil, fmt.Errorf("create a test database: %w", err)
	}
	drop := func(ctx context.Context) error {
		return execOn(ctx, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}
	url := withDatabase(server, name)
	return url, drop, addCitus(ctx, url)
}

// ensureDatabase makes the migrated database of this kind unless it is there. Its name tells the migrations and the month, because
// partitions are made around today; it gets its name when it is complete.
func ensureDatabase(ctx context.Context, server, kind string) (string, error) {
	hash, err := schemaHash()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("grapevine_%s_%s", kind, hash)
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // ends the lock
	exists := func() (found bool, err error) {
		err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&found)
		return found, err
	}
	if found, err := exists(); err != nil || found {
		return name, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	if found, err := exists(); err != nil || found {
		return name, err
	}
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name + "_new WITH (FORCE)", "CREATE DATABASE " + name + "_new"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", err
		}
	}
	if err := store.Migrate(ctx, store.Options{URL: withDatabase(server, name+"_new")}, time.Now()); err != nil {
		return "", fmt.Errorf("migrate a test database: %w", err)
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+"_new RENAME TO "+name)
	return name, err
}

func schemaHash() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, time.Now().UTC().Format("200601"))
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil))[:16], err
}

func execOn(ctx context.Context, server, sql string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err) // it was connected to
	}
	u.Path = "/" + name
	return u.String()
}
