package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const longestTarget = 8 << 10

// ServeHTTP takes a request through the edge: name it, refuse odd targets, route it, and account for it when it is answered.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{
		id: newRequestID(), method: r.Method, host: r.Host, header: r.Header, client: clientAddress(r, s.trusted), started: time.Now(),
	}
	answer := &answer{ResponseWriter: w}
	s.metrics.inFlight.Inc()
	if s.followQuickly(answer, r, req) {
		return
	}
	ctx, cancel := context.WithTimeout(withRequest(r.Context(), req), s.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	defer s.finish(answer, r, req)

	h := w.Header()
	h.Set("X-Request-Id", req.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if len(r.TransferEncoding) > 0 || s.draining.Load() {
		h.Set("Connection", "close") // for the first, see guard: nothing after a chunked body is read
	}
	if err := checkTarget(h, r); err != nil {
		s.fail(answer, r, err)
		return
	}
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet // net/http still knows better and sends no body
	}
	if page := s.page(r); page != nil {
		req.op = s.operations.find(r.Method, r.URL.Path) // nil for the scripts of a page
		page.ServeHTTP(answer, r)
		return
	}
	s.echo.ServeHTTP(answer, r)
}

// finish turns a panic into a problem, and writes log and metrics.
func (s *Server) finish(w *answer, r *http.Request, req *request) {
	v := recover()
	if v != nil && v != http.ErrAbortHandler {
		// The value of a panic can hold anything, personal data included: its type and the stack have to do.
		s.log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request_id", req.id),
			slog.String("type", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
		if w.status == 0 {
			s.fail(w, r, problem.Internal)
			v = nil
		}
	}
	took := time.Since(req.started)
	s.metrics.inFlight.Dec()
	s.metrics.observe(req, w.status, took)
	s.logAccess(w, r, req, took)
	if v != nil {
		panic(http.ErrAbortHandler) // an answer cut in the middle must look cut
	}
}

func (s *Server) logAccess(w *answer, r *http.Request, req *request, took time.Duration) {
	level := slog.LevelInfo
	if req.op != nil && req.op.open() && w.status < http.StatusBadRequest {
		level = slog.LevelDebug // visitors and probes come by the thousand; the metrics count them
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	if !s.logged.allow(time.Now()) {
		s.metrics.unlogged.Inc()
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", req.id), slog.String("operation", req.operationID()), slog.String("method", req.method),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Float64("ms", float64(took.Microseconds())/1000),
	}
	if req.principal.Mode != "" {
		attrs = append(attrs, slog.String("workspace_id", req.principal.WorkspaceID.String()),
			slog.String("key_id", req.principal.KeyID.String()))
	}
	if req.cause != nil && w.status < http.StatusInternalServerError {
		attrs = append(attrs, slog.String("cause", store.LogText(req.cause)))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// checkTarget refuses every spelling of a path but the plain one, so that no path has a second name that something in front of
// the server might treat differently.
func checkTarget(h http.Header, r *http.Request) error {
	if !strings.HasPrefix(r.RequestURI, "/") {
		h.Set("Connection", "close")
		return problem.MalformedRequest.With("The request's target must be a path.")
	}
	if len(r.RequestURI) > longestTarget {
		h.Set("Connection", "close")
		return problem.URITooLong.With(fmt.Sprintf("A target may have at most %d bytes.", longestTarget))
	}
	path := r.URL.EscapedPath()
	if path == "/" {
		return nil
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || plain == "." || plain == ".." {
			return problem.NotFound.With("There is nothing at this path.")
		}
	}
	return nil
}

// admit is the edge behind the route: size, syntax, credential, quota, contract, in this order.
func (s *Server) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		req := requestFrom(r.Context())
		op := s.operations.find(r.Method, c.Path())
		if op == nil {
			return s.unrouted(c)
		}
		req.op = op
		s.allowOrigin(c.Response().Header(), r, op)
		unread, malformed := readBody(c.Response().Writer.(*answer).ResponseWriter, r, req)
		if unread != nil {
			return unread
		}
		if !op.open() {
			if !s.slots.enter() {
				return problem.Overloaded.With("Too many requests are being worked on.")
			}
			defer s.slots.leave()
		}
		var err error
		if req.principal, err = s.auth.authenticate(r.Context(), r.Header, op); err != nil {
			return err
		}
		if !op.open() {
			if err := s.limiter.limitKey(r.Context(), c.Response().Header(), req.principal); err != nil {
				return err
			}
		}
		if malformed != nil {
			return malformed
		}
		if err := validate(c, req); err != nil {
			return err
		}
		return next(c)
	}
}

// unrouted answers for paths outside the contract (404) and methods outside it (405).
func (s *Server) unrouted(c echo.Context) error {
	if s.preflight(c.Response(), c.Request(), c.Path()) {
		return nil
	}
	methods := s.operations.methods(c.Path())
	if len(methods) == 0 {
		return problem.NotFound.With("There is nothing at this path.")
	}
	c.Response().Header().Set("Allow", strings.Join(methods, ", "))
	return problem.MethodNotAllowed.With("The Allow header lists the methods of this path.")
}

// answer remembers what was answered, for log and metrics.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what net/http offers.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// slots bound how many requests are worked on at once; more are refused at once instead of waiting in memory.
type slots chan struct{}

func (s slots) enter() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) leave() { <-s }

// mostLogLines bounds the access log: more requests in one second are counted only, so that a flood does not fill a disk as well.
const mostLogLines = 1000

// logBudget counts the lines of the current second. Two requests that meet at its turn may cost a line too many.
type logBudget struct{ second, lines atomic.Int64 }

func (b *logBudget) allow(now time.Time) bool {
	if second := now.Unix(); b.second.Swap(second) != second {
		b.lines.Store(0)
	}
	return b.lines.Add(1) <= mostLogLines
}
