package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

type answer struct {
	status     int
	retryAfter string
	body       string
}

const (
	problem = `{"type":"/docs/problems#conflict","title":"No","status":409,"code":"conflict","detail":"Because.","request_id":"r1"}`
)

type seen struct{ method, key, authorization, body string }

// serve gives a client of a server that gives the answers in turn and remembers the requests.
func serve(t *testing.T, answers ...answer) (*client.ClientWithResponses, *[]seen) {
	t.Helper()
	var requests []seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests = append(requests, seen{r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), string(body)})
		a := answers[len(requests)-1]
		w.Header().Set("Content-Type", "application/json")
		if a.status >= 400 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		if a.retryAfter != "" {
			w.Header().Set("Retry-After", a.retryAfter)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "gv_test_sk_x")
	if err != nil {
		t.Fatal(err)
	}
	return c, &requests
}

func TestWhatTheServerDidNotTakeIsRepeatedWithTheSameKey(t *testing.T) {
	t.Parallel()
	c, requests := serve(t, answer{503, "1", problem}, answer{429, "0", problem}, answer{409, "0", problem}, answer{409, "", problem})
	began := time.Now()
	_, err := c.ActivateProgramWithResponse(t.Context(), uuid.Nil, &client.ActivateProgramParams{})
	var p *client.ProblemError
	if !errors.As(err, &p) || p.Code != client.ProblemCodeConflict || p.RequestID != "r1" {
		t.Errorf("the error is %v, want the problem", err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("came back after %s, before Retry-After", took)
	}
	if len(*requests) != 4 {
		t.Fatalf("%d requests, want 4: a conflict without Retry-After is an answer", len(*requests))
	}
	first := (*requests)[0]
	if first.key == "" || first.authorization != "Bearer gv_test_sk_x" {
		t.Errorf("the first request is %+v", first)
	}
	for _, r := range *requests {
		if r != first {
			t.Errorf("repeated as %+v, want %+v", r, first)
		}
	}
}

func TestAPatchWhoseOutcomeIsUnknownIsNotRepeated(t *testing.T) {
	t.Parallel()
	c, requests := serve(t, answer{503, "0", problem})
	_, err := c.UpdateProgramWithResponse(t.Context(), uuid.Nil, &client.UpdateProgramParams{IfMatch: `"1"`}, client.ProgramPatch{})
	if err == nil || len(*requests) != 1 {
		t.Errorf("%d requests, error %v", len(*requests), err)
	}
}

func TestAllGivesEveryItemOfEveryPage(t *testing.T) {
	t.Parallel()
	pages := map[string][]int{"": {1, 2}, "c1": {3}}
	var got []int
	for item, err := range client.All(func(cursor *string) ([]int, nullable.Nullable[string], error) {
		if cursor == nil {
			return pages[""], nullable.NewNullableWithValue("c1"), nil
		}
		return pages[*cursor], nullable.NewNullNullable[string](), nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	if !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
}
