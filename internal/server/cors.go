package server

import (
	"net/http"
	"slices"
	"strings"
)

// Publishable keys work in browsers, which ask before they send one to another origin. The listed origins may use the operations
// that are open to publishable keys; nobody may use the others, and no answer allows cookies.
const (
	corsHeaders = "Authorization, Content-Type, Idempotency-Key"
	corsExposed = "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed, Location"
)

// allowOrigin lets the page of a listed origin read the answer, refusals included, and reports whether it may.
func (s *Server) allowOrigin(h http.Header, r *http.Request, op *operation) bool {
	if op == nil || op.key != keyPublishable || len(s.options.AllowedOrigins) == 0 {
		return false
	}
	h.Add("Vary", "Origin")
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || !slices.Contains(s.options.AllowedOrigins, origins[0]) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Expose-Headers", corsExposed)
	return true
}

// preflight answers a browser that asks whether it may send a request to this route, if it may.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request, route string) bool {
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" || !s.allowOrigin(w.Header(), r, s.operations.find(method, route)) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", strings.ToUpper(method))
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
