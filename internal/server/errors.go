package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const problemType = "application/problem+json"

// document is the contract's Problem.
type document struct {
	Type      string               `json:"type"`
	Title     string               `json:"title"`
	Status    int                  `json:"status"`
	Code      problem.Code         `json:"code"`
	Detail    string               `json:"detail"`
	RequestID string               `json:"request_id"`
	Errors    []problem.FieldError `json:"errors,omitempty"`
}

// fail answers a request that did not succeed. It is the only place that turns errors into HTTP.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	req := requestFrom(r.Context())
	if replay, ok := errors.AsType[*replayed](err); ok {
		replay.write(w)
		return
	}
	p := toProblem(err)
	if p.Code == problem.RequestInProgress.Code && p.RetryAfter == 0 {
		p = p.After(time.Second)
	}
	req.cause = p.Unwrap()
	if p.Status >= http.StatusInternalServerError {
		level := slog.LevelError
		if r.Context().Err() == context.Canceled {
			level = slog.LevelInfo // nobody waits for the answer any more; the fault is not ours
		}
		s.log.LogAttrs(r.Context(), level, "request failed", slog.String("request_id", req.id),
			slog.String("code", string(p.Code)), slog.String("cause", store.LogText(p)))
	}
	writeProblem(w, p, req.id)
}

func writeProblem(w http.ResponseWriter, p *problem.Error, requestID string) {
	h := w.Header()
	body := problemDocument(p, requestID)
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="grapevine"`)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(p.RetryAfter))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// retryAfter rounds up to whole seconds: an answer that comes too early only costs another refusal.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func problemDocument(p *problem.Error, requestID string) []byte {
	detail := p.Detail
	if detail == "" {
		detail = p.Title + "."
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it is never shown as HTML, and people read it
	if err := encoder.Encode(document{
		Type: "/docs/problems#" + string(p.Code), Title: p.Title, Status: p.Status, Code: p.Code,
		Detail: shorten(detail, 990), RequestID: requestID, Errors: p.Errors,
	}); err != nil {
		panic(err) // strings and integers always encode
	}
	return body.Bytes()
}

// toProblem gives the problem to answer with for an error from anywhere: our own, Echo's routing, or a context that ended.
func toProblem(err error) *problem.Error {
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch e.Code {
		case http.StatusNotFound:
			return problem.NotFound.With("There is nothing at this path.")
		case http.StatusMethodNotAllowed:
			return problem.MethodNotAllowed.With("The Allow header lists the methods of this path.")
		case http.StatusBadRequest:
			// The generated binder's own words name Go types; the contract check should have refused the value before.
			return problem.MalformedRequest.With("A parameter cannot be read as the contract describes it.").Wrap(err)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return problem.Unavailable.With("The request took too long. Send it again with the same Idempotency-Key.").Wrap(err)
	}
	return problem.From(err)
}
