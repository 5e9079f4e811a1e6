//go:build !unix

package postgres

import (
	"context"
	"errors"
)

// Server is a running PostgreSQL; there is none on this system.
type Server struct{}

var errUnsupported = errors.New("no PostgreSQL can be started on this system: set DATABASE_URL to a server that runs")

func Start(context.Context, Options) (*Server, error) { return nil, errUnsupported }
func Join(context.Context, Options) (*Server, error)  { return nil, errUnsupported }

func Exists(string) bool { return false }

func (*Server) OwnerURL() string           { return "" }
func (*Server) AppURL() string             { return "" }
func (*Server) Dir() string                { return "" }
func (*Server) Stop(context.Context) error { return nil }
