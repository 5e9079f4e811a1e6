package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// api is the server as a partner reaches it, with the key of one workspace.
type api struct {
	url  string
	key  string
	http *http.Client
}

// request is what is sent; the body is nil or a JSON value.
type request struct {
	method, path string
	body         any
	key          string // Idempotency-Key
}

// answer is what the server said.
type answer struct {
	status   int
	replayed bool
	location string
	body     any
	raw      string
}

// get walks the body by a dotted path; what is missing is nil.
func (a *answer) get(path string) any { return walk(a.body, path) }

func (a *answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// seen is the answer as expectations see it: the status and whether it was replayed beside the members of the body.
func (a *answer) seen() any {
	out := map[string]any{"body": a.body}
	if members, ok := a.body.(map[string]any); ok {
		for name, v := range members {
			out[name] = v
		}
	}
	out["status"], out["replayed"] = json.Number(strconv.Itoa(a.status)), a.replayed
	if a.location != "" {
		out["location"] = a.location
	}
	return out
}

func (a *answer) String() string { return fmt.Sprintf("%d %s", a.status, shorten(a.raw)) }

func shorten(s string) string {
	if s = strings.TrimSpace(s); len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}

func walk(v any, path string) any {
	if path == "" {
		return v
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// How often and how long a request is sent again that a server under load asks to be sent again.
const (
	maxTries = 50
	maxWait  = 5 * time.Second
)

// send sends a request, again under the same key when the server says that it did not get to it or that it is still at it.
func (c *api) send(ctx context.Context, r request) (*answer, error) {
	for try := 1; ; try++ {
		a, wait, err := c.once(ctx, r)
		busy := err == nil && (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable || a.str("code") == "request_in_progress")
		if !busy || try == maxTries {
			return a, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (c *api) once(ctx context.Context, r request) (*answer, time.Duration, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, 0, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.url+r.path, body)
	if err != nil {
		return nil, 0, err
	}
	if !strings.HasPrefix(r.path, "/r/") {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	req.Header.Set("User-Agent", browser)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.method == http.MethodPost {
		req.Header.Set("Idempotency-Key", r.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, 0, err
	}
	a := &answer{
		status: res.StatusCode, raw: string(raw), replayed: res.Header.Get("Idempotent-Replayed") == "true", location: res.Header.Get("Location"),
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(&a.body) // what is no JSON has no members
	return a, retryAfter(res), nil
}

// retryAfter is how long to wait before the next try: as asked, bounded.
func retryAfter(res *http.Response) time.Duration {
	n, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || n <= 0 {
		return 50 * time.Millisecond
	}
	return min(time.Duration(n)*time.Second, maxWait)
}

// read gets a resource that must be there.
func (c *api) read(ctx context.Context, path string) (*answer, error) {
	a, err := c.send(ctx, request{method: http.MethodGet, path: path})
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("GET %s answered %v", path, a)
	}
	return a, err
}

// list gets every entry of a paged list, newest first as the server gives them.
func (c *api) list(ctx context.Context, path string, query url.Values) ([]map[string]any, error) {
	var all []map[string]any
	query.Set("limit", "200")
	for {
		page, err := c.read(ctx, path+"?"+query.Encode())
		if err != nil {
			return nil, err
		}
		data, _ := page.get("data").([]any)
		for _, entry := range data {
			if entry, ok := entry.(map[string]any); ok {
				all = append(all, entry)
			}
		}
		if page.get("has_more") != true {
			return all, nil
		}
		query.Set("cursor", page.str("next_cursor"))
	}
}
