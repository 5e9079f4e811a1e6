package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
)

const (
	maxRetries  = 3
	longestWait = time.Minute
)

// New returns a client for the server at baseURL that sends the API key with every request. On top of the generated client:
//
//   - an answer that is a problem document is returned as a *ProblemError, so that the JSON200 or JSON201 of a result is never nil
//     when err is;
//   - a POST whose Idempotency-Key is empty gets one of its own;
//   - a request that the server did not take is repeated, as late as Retry-After asks and with the same key, so that work is never done
//     twice.
//
// WithHTTPClient among the options replaces all three.
func New(baseURL, apiKey string, options ...ClientOption) (*ClientWithResponses, error) {
	authorize := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+apiKey)
		return nil
	}
	// A followed link answers with where the visitor goes; the client does not go there.
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ours := []ClientOption{WithHTTPClient(&patient{plain}), WithRequestEditorFn(authorize)}
	return NewClientWithResponses(baseURL, append(ours, options...)...)
}

// ProblemError is an answer that is a problem document. Its Code tells problems apart and never changes its meaning.
type ProblemError struct {
	Problem
	Header http.Header
}

func (e *ProblemError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail)
}

// All gives the items of a list operation one by one, asking for further pages as they are needed. The function asks for one page; a nil
// cursor means the first.
func All[T any](page func(cursor *string) (items []T, next nullable.Nullable[string], err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var cursor *string
		for {
			items, next, err := page(cursor)
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			value, err := next.Get()
			if err != nil {
				return
			}
			cursor = &value
		}
	}
}

type patient struct{ next HttpRequestDoer }

// Do repeats after 429, 503, a 409 that says when to come back (the first request with this key is still at work), and no answer at all.
// A PATCH is repeated only after 429: the others may have taken effect, and its If-Match would then fail.
func (p *patient) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") == "" {
		r.Header.Set("Idempotency-Key", uuid.NewString())
	}
	for attempt := 0; ; attempt++ {
		res, err := p.next.Do(r)
		wait := waitFor(res, attempt)
		if attempt == maxRetries || wait > longestWait || !worthRepeating(r, res) {
			return orProblem(res, err)
		}
		if res != nil {
			_ = res.Body.Close()
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(wait):
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

func worthRepeating(r *http.Request, res *http.Response) bool {
	switch {
	case r.Context().Err() != nil || r.Body != nil && r.GetBody == nil:
		return false
	case res != nil && res.StatusCode == http.StatusTooManyRequests:
		return true
	case r.Method == http.MethodPatch:
		return false
	case res == nil || res.StatusCode == http.StatusServiceUnavailable:
		return true
	}
	return res.StatusCode == http.StatusConflict && res.Header.Get("Retry-After") != ""
}

// waitFor gives what Retry-After says, in seconds or as a date, else a quarter of a second doubled each time, with jitter.
func waitFor(res *http.Response, attempt int) time.Duration {
	if res != nil {
		header := res.Header.Get("Retry-After")
		if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
		if at, err := http.ParseTime(header); err == nil {
			return max(0, time.Until(at))
		}
	}
	most := 250 * time.Millisecond << attempt
	return most/2 + rand.N(most/2)
}

func orProblem(res *http.Response, err error) (*http.Response, error) {
	if err != nil || res.StatusCode < http.StatusBadRequest {
		return res, err
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "application/problem+json" {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	problem := &ProblemError{Header: res.Header}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &problem.Problem)
	}
	if err != nil {
		return nil, fmt.Errorf("status %d with a problem that cannot be read: %w", res.StatusCode, err)
	}
	return nil, problem
}
