package docs_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/docs"
)

func get(t *testing.T, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	docs.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestThePagesNameNoOtherOriginAndForbidThem(t *testing.T) {
	t.Parallel()
	elsewhere := regexp.MustCompile(`(?i)(src|href|action|url)\s*[=:(]\s*["']?\s*(https?:)?//`)
	inline := regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|\son\w+\s*=`)
	for _, path := range []string{"/docs", "/docs/init.js", "/docs/problems"} {
		res := get(t, path, http.Header{})
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d", path, res.StatusCode)
		}
		text := body(t, res.Body)
		if m := elsewhere.FindString(text); m != "" {
			t.Errorf("%s leads to another origin: %s", path, m)
		}
		if m := inline.FindString(text); m != "" {
			t.Errorf("%s has an inline script: %s", path, m)
		}
		for _, directive := range strings.Split(res.Header.Get("Content-Security-Policy"), ";") {
			for _, source := range strings.Fields(directive)[1:] {
				if source != "'self'" && source != "'none'" && source != "data:" && directive != " style-src 'self' 'unsafe-inline'" {
					t.Errorf("%s: the policy allows %q in %q", path, source, directive)
				}
			}
		}
	}
}

func TestTheViewersRemoteFeaturesAreOff(t *testing.T) {
	t.Parallel()
	text := body(t, get(t, "/docs/init.js", http.Header{}).Body)
	for _, setting := range []string{
		"withDefaultFonts: false", "telemetry: false", "hideClientButton: true", "showDeveloperTools: 'never'",
		"agent: { disabled: true }", "mcp: { disabled: true }",
	} {
		if !strings.Contains(text, setting) {
			t.Errorf("init.js lacks %q", setting)
		}
	}
}

func TestTheViewerIsTheOneOfTheChecksumFile(t *testing.T) {
	t.Parallel()
	sum, err := os.ReadFile("scalar.sum")
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(string(sum), " ")

	zipped := get(t, "/docs/scalar.js", http.Header{"Accept-Encoding": {"gzip, br"}})
	if zipped.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("not compressed for a client that accepts it")
	}
	unzipped, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain := get(t, "/docs/scalar.js", http.Header{})
	for name, r := range map[string]io.Reader{"compressed": unzipped, "plain": plain.Body} {
		got := sha256.Sum256([]byte(body(t, r)))
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("%s: checksum %x, want %s; repair with `make scalar`", name, got, want)
		}
	}

	again := get(t, "/docs/scalar.js", http.Header{"If-None-Match": {plain.Header.Get("ETag")}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("status %d for a viewer that the browser has", again.StatusCode)
	}
}

func TestEveryProblemHasItsPlace(t *testing.T) {
	t.Parallel()
	text := body(t, get(t, "/docs/problems", http.Header{}).Body)
	for _, p := range problem.All() {
		if !strings.Contains(text, `id="`+string(p.Code)+`"`) {
			t.Errorf("no entry for %s", p.Code)
		}
	}
}
