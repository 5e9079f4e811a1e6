// Package problem holds the one error type that callers of Grapevine may see, and the catalogue of every problem there is.
//
// An entry of the catalogue is itself an error: return it as it is, or refine a copy:
//
//	return problem.NotFound
//	return problem.CodeTaken.With("The workspace already has this code.")
//	return problem.Unavailable.After(2 * time.Second).Wrap(err)
//
// Detail is for the caller and must be safe to show; the cause is for the log and never leaves the process. Two problems are the
// same for errors.Is when their codes are equal. Only internal/server turns a problem into HTTP.
package problem

import (
	"errors"
	"slices"
	"time"
)

// Code is the stable, machine-readable name of a problem, as the contract's ProblemCode enum lists it.
type Code string

// FieldError names one fault of a request: Pointer is a JSON pointer into the body, or "query:limit", "path:id", "header:If-Match".
type FieldError struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// MostFaults is how many faults a problem names.
const MostFaults = 100

// Error is a problem: an entry of the catalogue, or a copy of one with the particulars of one occasion.
type Error struct {
	Code   Code
	Status int    // the HTTP status that the contract gives this code
	Title  string // fixed per code

	Detail     string        // one occasion, for the caller
	Errors     []FieldError  // faults of the request, for the caller
	RetryAfter time.Duration // when to try again; 0 means nothing is known
	cause      error
}

// With returns a copy that tells the caller what happened.
func (e *Error) With(detail string) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// WithErrors returns a copy that names the faults of the request.
func (e *Error) WithErrors(faults []FieldError) *Error {
	c := *e
	c.Errors = slices.Clone(faults)
	return &c
}

// After returns a copy that tells the caller when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Wrap returns a copy that carries its cause for the log and for errors.As; the caller of the API never sees it.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error gives the text for the log, cause included.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a problem of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// From gives the first problem in err's tree, or Internal with err as its cause. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*Error](err); ok {
		return p
	}
	return Internal.Wrap(err)
}
