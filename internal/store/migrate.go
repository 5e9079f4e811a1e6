package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/grapevine-referrals/grapevine/sql/migrations"
)

// Migrator changes the schema, as the owner. One process at a time works; others wait their turn in Up, Down and Force.
type Migrator struct {
	ownerURL string
	files    fs.FS
}

// NewMigrator returns the migrator of this program's migrations.
func NewMigrator(ownerURL string) *Migrator { return NewMigratorOf(ownerURL, migrations.FS) }

// NewMigratorOf is NewMigrator for other files.
func NewMigratorOf(ownerURL string, files fs.FS) *Migrator {
	return &Migrator{ownerURL: ownerURL, files: files}
}

// SchemaStatus is where a database stands.
type SchemaStatus struct {
	Version uint // 0: nothing was migrated
	Latest  uint // the last one of this program
	Dirty   bool // a migration failed half-way
}

// Err is nil when the schema is the one of this program, and says what to do otherwise.
func (s SchemaStatus) Err() error {
	switch {
	case s.Dirty:
		return fmt.Errorf("migration %d failed half-way: repair what it left, then run `grapevine migrate force` with the version that the schema has", s.Version)
	case s.Version < s.Latest:
		return fmt.Errorf("the schema is at version %d, this program needs %d: run `grapevine migrate up`", s.Version, s.Latest)
	case s.Version > s.Latest:
		return fmt.Errorf("the schema is at version %d, this program knows %d: run a newer one", s.Version, s.Latest)
	}
	return nil
}

// Migrate makes the role, brings the schema to this program's version and makes the partitions around now: all that Open and serving need.
func Migrate(ctx context.Context, opts Options, now time.Time) error {
	opts = opts.withDefaults()
	if err := EnsureRole(ctx, opts); err != nil {
		return err
	}
	if err := NewMigrator(opts.OwnerURL).Up(ctx); err != nil {
		return err
	}
	return EnsurePartitions(ctx, opts.OwnerURL, now)
}

// Up brings the schema to the latest version, and distributes what is new on a Citus database.
func (m *Migrator) Up(ctx context.Context) error {
	return m.locked(ctx, func(tool *migrate.Migrate, conn *pgx.Conn) error {
		if err := tool.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
			return err
		}
		// The server asks for the version in its own role.
		if _, err := conn.Exec(ctx, "GRANT SELECT ON schema_migrations TO "+AppRole); err != nil {
			return err
		}
		return Distribute(ctx, m.ownerURL)
	})
}

// Down undoes the last steps migrations, all of them when steps is 0. The data goes with them.
func (m *Migrator) Down(ctx context.Context, steps int) error {
	return m.locked(ctx, func(tool *migrate.Migrate, _ *pgx.Conn) error {
		var err error
		if steps == 0 {
			err = tool.Down()
		} else {
			err = tool.Steps(-steps)
		}
		if errors.Is(err, migrate.ErrNoChange) {
			return nil
		}
		return err
	})
}

// Force records version as the schema's, without running anything, after somebody repaired a failed migration by hand.
func (m *Migrator) Force(ctx context.Context, version int) error {
	return m.locked(ctx, func(tool *migrate.Migrate, _ *pgx.Conn) error { return tool.Force(version) })
}

// Status tells where the database stands.
func (m *Migrator) Status(ctx context.Context) (SchemaStatus, error) {
	conn, err := pgx.Connect(ctx, m.ownerURL)
	if err != nil {
		return SchemaStatus{}, toProblem(fmt.Errorf("store: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return schemaStatus(ctx, conn, m.files)
}

// LatestVersion is the last migration of this program.
func LatestVersion() (uint, error) { return latestVersion(migrations.FS) }

// EnsureClean fails when the schema is not the one of this program.
func (s *Store) EnsureClean(ctx context.Context) error {
	status, err := schemaStatus(ctx, s.DB(uuid.Nil), migrations.FS)
	if err != nil {
		return err
	}
	return status.Err()
}

func latestVersion(files fs.FS) (latest uint, err error) {
	src, err := iofs.New(files, ".")
	if err != nil {
		return 0, fmt.Errorf("store: read the migrations: %w", err)
	}
	version, err := src.First()
	for err == nil {
		latest = version
		version, err = src.Next(version)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("store: read the migrations: %w", err)
	}
	return latest, nil
}

func schemaStatus(ctx context.Context, db DBTX, files fs.FS) (status SchemaStatus, err error) {
	if status.Latest, err = latestVersion(files); err != nil {
		return status, err
	}
	err = db.QueryRow(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&status.Version, &status.Dirty)
	if err != nil && !errors.Is(err, ErrNoRows) && sqlState(err) != undefinedTable {
		return status, fmt.Errorf("store: read the schema's version: %w", err)
	}
	return status, nil
}

// locked runs fn while no other process migrates. It asks again and again instead of waiting inside the database, because a waiting
// statement holds a snapshot, and CREATE INDEX CONCURRENTLY would wait for that snapshot to go. golang-migrate waits inside, with its
// own lock, already when it is made: hence only here.
func (m *Migrator) locked(ctx context.Context, fn func(tool *migrate.Migrate, conn *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, m.ownerURL)
	if err != nil {
		return toProblem(fmt.Errorf("store: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx)) // ends the lock's transaction
	if err := awaitMigrationLock(ctx, conn); err != nil {
		return err
	}
	tool, err := m.tool()
	if err != nil {
		return err
	}
	err = fn(tool, conn)
	sourceErr, databaseErr := tool.Close()
	if err := errors.Join(err, sourceErr, databaseErr); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	_, err = conn.Exec(ctx, "COMMIT")
	return err
}

func (m *Migrator) tool() (*migrate.Migrate, error) {
	config, err := pgx.ParseConfig(m.ownerURL)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	src, err := iofs.New(m.files, ".")
	if err != nil {
		return nil, fmt.Errorf("store: read the migrations: %w", err)
	}
	db := stdlib.OpenDB(*config)
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), db.Close())
	}
	tool, err := migrate.NewWithInstance("iofs", src, "pgx5", driver)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), driver.Close())
	}
	return tool, nil
}

func awaitMigrationLock(ctx context.Context, conn *pgx.Conn) error {
	for {
		err := tryMigrationLock(ctx, conn)
		if err == nil {
			return nil
		}
		if state := sqlState(err); state != lockNotAvailable && state != UniqueViolation && state != "42P07" && state != "42710" {
			return fmt.Errorf("store: lock migrations: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("store: another process is migrating: %w", ctx.Err())
		case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)):
		}
	}
}

// tryMigrationLock takes the lock in a transaction that stays open. Two processes that make the table at the same moment collide on a
// unique key of the catalogue; one of them comes again.
func tryMigrationLock(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
		SET client_min_messages = warning;
		CREATE TABLE IF NOT EXISTS schema_migrations_lock (id boolean PRIMARY KEY)`)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "BEGIN; LOCK TABLE schema_migrations_lock IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")
	if err != nil {
		_, rollbackErr := conn.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, rollbackErr)
	}
	return err
}
