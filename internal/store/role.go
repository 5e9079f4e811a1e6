package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AppRole is the role that requests are worked on in. The migrations grant to it; it owns nothing.
const AppRole = "grapevine_app"

// EnsureRole makes the application's role where it is missing, and lets both logins take it. It comes before the migrations. A login
// may only lack the right to make roles when somebody has made the role already.
func EnsureRole(ctx context.Context, opts Options) error {
	opts = opts.withDefaults()
	conn, err := pgx.Connect(ctx, opts.OwnerURL)
	if err != nil {
		return toProblem(fmt.Errorf("store: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists, super bool
	err = conn.QueryRow(ctx, "SELECT count(*) > 0, coalesce(bool_or(rolsuper OR rolbypassrls OR rolcreaterole), false) FROM pg_roles WHERE rolname = $1", AppRole).Scan(&exists, &super)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if super {
		return fmt.Errorf("store: the role %s has rights of its own that it must not have", AppRole)
	}
	if !exists {
		if err := createRole(ctx, conn, opts); err != nil {
			return err
		}
	}
	logins := []string{conn.Config().User}
	if config, err := pgx.ParseConfig(opts.URL); err != nil {
		return fmt.Errorf("store: %w", err)
	} else if config.User != AppRole && config.User != logins[0] {
		logins = append(logins, config.User)
	}
	for _, login := range logins {
		if err := grantRole(ctx, conn, login); err != nil {
			return err
		}
	}
	return nil
}

func createRole(ctx context.Context, conn *pgx.Conn, opts Options) error {
	_, err := conn.Exec(ctx, "CREATE ROLE "+AppRole+" NOLOGIN")
	switch state := sqlState(err); {
	case state == "42710" || state == UniqueViolation: // another process was quicker
		return nil
	case err != nil:
		return fmt.Errorf("store: the role %s cannot be made by this login; let an administrator run CREATE ROLE %s NOLOGIN: %w", AppRole, AppRole, err)
	}
	// These serve a login that defaults to the role behind a pooler; other connections bring their own.
	for name, value := range sessionSettings(opts) {
		if _, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s SET %s = '%s'", AppRole, name, value)); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

func grantRole(ctx context.Context, conn *pgx.Conn, login string) error {
	var member bool
	err := conn.QueryRow(ctx, "SELECT pg_has_role(rolname, $2, 'MEMBER') FROM pg_roles WHERE rolname = $1", login, AppRole).Scan(&member)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // a pooler's name for somebody else; Open will see whether it has the rights
	}
	if err != nil || member {
		return err
	}
	if _, err := conn.Exec(ctx, fmt.Sprintf("GRANT %s TO %s", AppRole, pgx.Identifier{login}.Sanitize())); err != nil {
		return fmt.Errorf("store: let %s work in the role %s: %w", login, AppRole, err)
	}
	return nil
}
