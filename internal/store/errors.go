package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

// SQLSTATEs that callers decide by.
const (
	UniqueViolation = "23505"
	CheckViolation  = "23514"

	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	undefinedTable       = "42P01"
)

// LogText gives what may stand in a log of an error: the database's messages can quote values, so they are replaced by their codes.
func LogText(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Message != "" {
		text = strings.ReplaceAll(text, e.Message, fmt.Sprintf("SQLSTATE %s %s %s", e.Code, e.TableName, e.ConstraintName))
	}
	return text
}

func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

// toProblem turns the errors that are nobody's decision into problems; all others pass.
func toProblem(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if p := stateProblem(pgErr.Code); p != nil {
			return p.Wrap(err)
		}
		return err
	}
	switch {
	case errors.Is(err, context.Canceled): // the caller has gone
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return problem.Overloaded.Wrap(err)
	case lostConnection(err):
		return problem.Unavailable.Wrap(err)
	}
	return err
}

// stateProblem gives the problem behind an SQLSTATE, nil when it is for the caller to judge.
func stateProblem(state string) *problem.Error {
	switch state {
	case lockNotAvailable, serializationFailure, deadlockDetected, "57014", "53200", "53300", "53400":
		return problem.Overloaded // the last four: timed out or cancelled, out of memory, of connections, of another limit
	case "25006", "53100":
		return problem.Unavailable // read-only, as a standby is; disk full
	}
	for _, class := range []string{"08", "28", "57", "58", "F0"} { // connection, login, operator, system, configuration
		if strings.HasPrefix(state, class) {
			return problem.Unavailable
		}
	}
	return nil
}

func lostConnection(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// OrNotFound turns a missing row into not_found, for what the caller named in the path.
func OrNotFound(err error, what string) error {
	if errors.Is(err, ErrNoRows) {
		return problem.NotFound.With(what + " does not exist")
	}
	return err
}
