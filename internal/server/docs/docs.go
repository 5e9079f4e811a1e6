// Package docs serves the rendered contract at /docs and the list of problems at /docs/problems, from the binary alone: the
// viewer (Scalar) is embedded, its remote features are off, and the page's Content-Security-Policy forbids every other origin.
//
// The viewer reads the contract from /openapi.json, which the server mounts beside this handler.
package docs

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

// The viewer is kept compressed: 1.3 MB instead of 4.4 MB. `make scalar` fetches it and checks it against scalar.sum.
var (
	//go:embed scalar.js.gz
	scalarGzip []byte
	//go:embed scalar.sum
	scalarSum string
	//go:embed init.js
	initScript []byte
	//go:embed docs.html
	page []byte
	//go:embed problems.html
	problemsPage string
)

// Policy is the Content-Security-Policy of both pages. Scripts come from this server only and none is inline. The viewer sets
// styles on elements as it draws, so inline styles are allowed; with every other source closed they can load nothing.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers /docs and everything below it; any other path is 404.
func Handler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /docs", asset("text/html; charset=utf-8", page))
	mux.HandleFunc("GET /docs/init.js", asset("text/javascript; charset=utf-8", initScript))
	mux.HandleFunc("GET /docs/scalar.js", serveScalar)
	mux.HandleFunc("GET /docs/problems", serveProblems)
	return mux
}

func asset(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		setHeaders(w, contentType)
		_, _ = w.Write(body)
	}
}

func setHeaders(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
}

// serveScalar sends the compressed bytes as they are to whoever accepts them, which is every browser.
func serveScalar(w http.ResponseWriter, r *http.Request) {
	setHeaders(w, "text/javascript; charset=utf-8")
	checksum, _, _ := strings.Cut(scalarSum, " ")
	tag := `"` + checksum[:16] + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(scalarGzip)
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(scalarGzip))
	if err != nil {
		panic("docs: the embedded viewer is damaged: " + err.Error())
	}
	_, _ = io.Copy(w, plain)
}

// serveProblems gives every `type` of a problem document a place to lead to: /docs/problems#<code>.
func serveProblems(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	t := template.Must(template.New("problems").Parse(problemsPage))
	if err := t.Execute(&body, problem.All()); err != nil {
		panic("docs: the list of problems cannot be rendered: " + err.Error())
	}
	asset("text/html; charset=utf-8", body.Bytes())(w, nil)
}
