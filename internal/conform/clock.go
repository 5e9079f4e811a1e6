package conform

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// clock is the clock of a test workspace that several plays share. It moves when all of them wait for it, to the nearest moment
// that anybody waits for: so each play sees every moment it asks for, and none is overtaken.
type clock struct {
	api   *api
	pairs sync.Map      // of currencies that plays have taken for themselves
	slots chan struct{} // how many plays may be at work at once, over all stages

	mu      sync.Mutex
	now     time.Time
	players int
	waits   []wait
	err     error
}

type wait struct {
	until time.Time
	done  chan struct{}
}

// maxStep is less than what a test clock allows to be moved at once.
const maxStep = 9 * 365 * day

// enter begins a play; the clock must have been told of it before.
func (c *clock) enter() { c.slots <- struct{}{} }

// leave ends a play: the others need not wait for it any more.
func (c *clock) leave(ctx context.Context) {
	<-c.slots
	c.mu.Lock()
	defer c.mu.Unlock()
	c.players--
	c.move(ctx)
}

// until waits until the clock stands at a moment or after it.
func (c *clock) until(ctx context.Context, t time.Time) error {
	c.mu.Lock()
	if !t.After(c.now) {
		defer c.mu.Unlock()
		return c.err
	}
	w := wait{t, make(chan struct{})}
	c.waits = append(c.waits, w)
	<-c.slots
	c.move(ctx)
	c.mu.Unlock()
	<-w.done
	c.slots <- struct{}{}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// present is where the clock stands.
func (c *clock) present() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// move moves the clock if everybody waits for it.
func (c *clock) move(ctx context.Context) {
	if len(c.waits) == 0 || len(c.waits) < c.players {
		return
	}
	to := c.waits[0].until
	for _, w := range c.waits {
		if w.until.Before(to) {
			to = w.until
		}
	}
	for c.err == nil && c.now.Before(to) {
		next := to
		if limit := c.now.Add(maxStep); next.After(limit) {
			next = limit
		}
		if c.err = setClock(ctx, c.api, next); c.err == nil {
			c.now = next
		}
	}
	var still []wait
	for _, w := range c.waits {
		if c.err == nil && w.until.After(c.now) {
			still = append(still, w)
			continue
		}
		close(w.done)
	}
	c.waits = still
}

func setClock(ctx context.Context, c *api, to time.Time) error {
	a, err := c.send(ctx, request{method: http.MethodPost, path: "/v1/test-clock", body: map[string]any{"now": to}, key: uuid.NewString()})
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("the test clock cannot be moved to %s: %v", to.Format(time.RFC3339), a)
	}
	return err
}
