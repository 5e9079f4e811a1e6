package conform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options say where situations are played.
type Options struct {
	URL string
	// Key is a secret key of a test workspace, in which all situations are played.
	Key string
	// OperatorToken makes a pair of workspaces for each situation instead.
	OperatorToken string
	// Only leaves the situations whose key fits the pattern; empty is all.
	Only string
	// Parallel is how many plays are at work at once; 0 is 4.
	Parallel int
	// HTTP sends the requests; nil is a client without redirects.
	HTTP *http.Client
}

// Result is what became of one situation.
type Result struct {
	Key       string    `json:"situation"`
	File      string    `json:"file"`
	Name      string    `json:"name"`
	Scenarios []int     `json:"scenarios"`
	Orders    int       `json:"orders"`
	Held      bool      `json:"held"`
	Failures  []Failure `json:"failures"`
}

// Run plays situations and says of each whether it held. The error is about what kept them from being played at all.
func Run(ctx context.Context, o Options, all []*Situation) ([]Result, error) {
	chosen, err := choose(all, o.Only)
	if err != nil {
		return nil, err
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: time.Minute}
	}
	client := *o.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTP, o.URL = &client, strings.TrimSuffix(o.URL, "/")
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	r := runner{Options: o, slots: make(chan struct{}, o.Parallel), failures: make(map[*Situation][]Failure)}
	if err := r.run(ctx, chosen); err != nil {
		return nil, err
	}
	var results []Result
	for _, s := range chosen {
		failures := r.failures[s]
		results = append(results, Result{s.Key, s.File, s.Name, s.Scenarios, len(s.orders()), len(failures) == 0, failures})
	}
	return results, nil
}

func choose(all []*Situation, only string) ([]*Situation, error) {
	if only == "" {
		return all, nil
	}
	var out []*Situation
	for _, s := range all {
		fits, err := path.Match(only, s.Key)
		if err != nil {
			return nil, fmt.Errorf("%q is no pattern: %w", only, err)
		}
		if fits {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no situation is called %q", only)
	}
	return out, nil
}

type runner struct {
	Options
	slots chan struct{}

	mu       sync.Mutex
	failures map[*Situation][]Failure
}

// run plays in one workspace, or in one for each situation when there is an operator's token.
func (r *runner) run(ctx context.Context, all []*Situation) error {
	if r.OperatorToken == "" {
		return r.inOne(ctx, all)
	}
	errs := make([]error, len(all))
	var done sync.WaitGroup
	for i, s := range all {
		done.Go(func() { errs[i] = r.byItself(ctx, s) })
	}
	done.Wait()
	return errors.Join(errs...)
}

// inOne plays all situations in the workspace of the key: together those that can, then one after the other those that speak of the
// workspace as a whole.
func (r *runner) inOne(ctx context.Context, all []*Situation) error {
	c := &api{r.URL, r.Key, r.HTTP}
	var shared []*play
	var alone []*play
	for _, s := range all {
		if s.alone {
			alone = append(alone, plays(s)...)
		} else {
			shared = append(shared, plays(s)...)
		}
	}
	if err := r.stage(ctx, c, shared); err != nil {
		return err
	}
	for _, p := range alone {
		if err := r.stage(ctx, c, []*play{p}); err != nil {
			return err
		}
	}
	return nil
}

// byItself plays one situation in workspaces that are made for it.
func (r *runner) byItself(ctx context.Context, s *Situation) error {
	stages := [][]*play{plays(s)}
	if s.alone {
		stages = nil
		for _, p := range plays(s) {
			stages = append(stages, []*play{p})
		}
	}
	for _, stage := range stages {
		key, err := r.makeWorkspace(ctx, s)
		if err != nil {
			return err
		}
		if err := r.stage(ctx, &api{r.URL, key, r.HTTP}, stage); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) makeWorkspace(ctx context.Context, s *Situation) (string, error) {
	operator := &api{r.URL, r.OperatorToken, r.HTTP}
	a, err := operator.send(ctx, request{
		method: http.MethodPost, path: "/v1/workspaces", body: map[string]any{"name": "Conformance " + s.Key}, key: uuid.NewString(),
	})
	if err != nil {
		return "", err
	}
	key := a.str("test_key")
	if key == "" {
		return "", fmt.Errorf("a workspace cannot be made: %v", a)
	}
	return key, nil
}

func plays(s *Situation) []*play {
	var out []*play
	for _, order := range s.orders() {
		p := &play{Situation: s, order: order}
		if order != nil {
			p.label = s.told(order)
		}
		out = append(out, p)
	}
	return out
}

// stage plays plays in one workspace, under one clock.
func (r *runner) stage(ctx context.Context, c *api, all []*play) error {
	workspace, err := c.read(ctx, "/v1/workspace")
	if err != nil {
		return err
	}
	if workspace.str("mode") != "test" {
		return errors.New("the key is of a live workspace; situations move the clock, so they need the key of a test workspace")
	}
	// A workspace whose clock was never moved goes by the server's.
	now := time.Now().UTC().Truncate(time.Minute).Add(2 * time.Minute)
	if at, err := time.Parse(time.RFC3339Nano, workspace.str("clock_at")); err == nil {
		now = at
	}
	for _, p := range all {
		if p.began, err = p.begins.next(now); err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
	}
	shared := &clock{api: c, slots: r.slots, now: now, players: len(all)}
	var done sync.WaitGroup
	for _, p := range all {
		p.ctx, p.api, p.clock, p.slug = ctx, c, shared, workspace.str("slug")
		done.Go(func() {
			shared.enter()
			defer shared.leave(ctx)
			p.tell()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.failures[p.Situation] = append(r.failures[p.Situation], p.failures...)
		})
	}
	done.Wait()
	if len(all) > 0 && ctx.Err() == nil {
		if err := chainHolds(ctx, c, shared.present()); err != nil {
			p := all[0]
			p.failures = nil
			p.fail(1, "after the situations of this workspace", "the chain of the log verifies", err.Error())
			r.failures[p.Situation] = append(r.failures[p.Situation], p.failures...)
		}
	}
	return ctx.Err()
}
