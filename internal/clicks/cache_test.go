package clicks

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// source is a database of one's own: what it answers, whether it does, and how often it was asked.
type source struct {
	mu    sync.Mutex
	value string
	err   error
	asked atomic.Int64
	gate  chan struct{} // when not nil, an answer waits for it
}

func (s *source) fetch(ctx context.Context, keys []string, land func(string, string, error)) {
	value, err := s.answer(ctx)
	for _, key := range keys {
		land(key, value, err)
	}
}

func (s *source) answer(ctx context.Context) (string, error) {
	s.asked.Add(1)
	s.mu.Lock()
	value, err, gate := s.value, s.err, s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return value, err
}

func (s *source) set(value string, err error, gate chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err, s.gate = value, err, gate
}

// clock is a time that tests move.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_700_000_000, c.nanos.Load()) }
func (c *clock) forward(d time.Duration) { c.nanos.Add(int64(d)) }

func newTestCache() (*cache[string, string], *source, *clock) {
	s, k := &source{}, &clock{}
	c := newCache(s.fetch)
	c.now = k.now
	return c, s, k
}

func TestAnAnswerIsUsedForTwoSeconds(t *testing.T) {
	t.Parallel()
	c, s, k := newTestCache()
	for i, step := range []struct {
		value   string
		err     error
		forward time.Duration
		want    string
		fails   bool
		asked   int64
	}{
		{"a", nil, 0, "a", false, 1},
		{"b", nil, freshFor/2 - 1, "a", false, 1},
		{"b", nil, 1, "a", false, 2}, // asked for while the old one is still used
		{"c", nil, freshFor - 1, "b", false, 3},
		{"d", nil, freshFor, "d", false, 4},
		{"", errors.New("down"), freshFor, "d", false, 5},
		{"", errors.New("down"), freshFor/2 - 1, "d", false, 5}, // one visitor in a while waits for it
		{"e", nil, freshFor, "d", false, 6},                     // nobody waits for a database that was down
		{"e", nil, time.Second - 1, "e", false, 6},              // but it was asked
		{"", errors.New("down"), staleFor - time.Second, "e", false, 7},
		{"", errors.New("down"), freshFor + 1, "", true, 8},
		{"f", nil, 0, "f", false, 9},
	} {
		s.set(step.value, step.err, nil)
		k.forward(step.forward)
		got, err := c.get(t.Context(), "key")
		if got != step.want || (err != nil) != step.fails {
			t.Errorf("step %d: %q, %v", i, got, err)
		}
		for deadline := time.Now().Add(time.Second); s.asked.Load() < step.asked && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond) // somebody may be asking in the background
		}
		for c.flying() {
			time.Sleep(time.Millisecond)
		}
		if n := s.asked.Load(); n != step.asked {
			t.Errorf("step %d: asked %d times, want %d", i, n, step.asked)
		}
	}
}

func (c *cache[K, V]) flying() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.flights) > 0
}

func TestManyWhoWaitAskOnce(t *testing.T) {
	t.Parallel()
	c, s, _ := newTestCache()
	gate := make(chan struct{})
	s.set("a", nil, gate)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if got, err := c.get(t.Context(), "key"); got != "a" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.get(gone, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("somebody who went away: %v", err)
	}
	for !c.flying() {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	group.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// A thousand keys that nobody has asked for yet are a few questions.
func TestManyKeysAreAskedForTogether(t *testing.T) {
	t.Parallel()
	c, s, _ := newTestCache()
	gate := make(chan struct{})
	s.set("a", nil, gate)
	var group sync.WaitGroup
	for i := range 1000 {
		group.Go(func() {
			if got, err := c.get(t.Context(), strconv.Itoa(i)); got != "a" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	time.Sleep(fetchFor / 4) // for all to ask, or most
	close(gate)
	group.Wait()
	if n := s.asked.Load(); n > 500 {
		t.Errorf("asked %d times", n)
	}
}

func TestWhatIsForgottenIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c, s, _ := newTestCache()
	all := func(string) bool { return true }
	get := func(want string) {
		t.Helper()
		if got, err := c.get(t.Context(), "key"); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	s.set("a", nil, nil)
	get("a")
	s.set("b", nil, nil)
	get("a")
	c.forget(func(key string) bool { return key != "key" })
	get("a")
	c.forget(all)
	get("b")

	// An answer that was on its way when something was forgotten may be older than that.
	gate := make(chan struct{})
	c.forget(all)
	s.set("old", nil, gate)
	late := make(chan string)
	go func() { got, _ := c.get(t.Context(), "key"); late <- got }()
	for !c.flying() {
		time.Sleep(time.Millisecond)
	}
	c.forget(all)
	s.set("new", nil, nil)
	get("new")
	close(gate)
	<-late
	get("new")

	// What is forgotten while the database is down is better than nothing.
	c.forget(all)
	s.set("", errors.New("down"), nil)
	get("new")
}

func TestACacheIsBounded(t *testing.T) {
	t.Parallel()
	c, s, _ := newTestCache()
	s.set("a", nil, nil)
	for i := range 3 * mostCached {
		if _, err := c.get(t.Context(), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			if _, err := c.get(t.Context(), "in use"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(c.young) + len(c.older); n > 2*mostCached {
		t.Errorf("%d answers are kept", n)
	}
	before := s.asked.Load()
	if _, err := c.get(t.Context(), "in use"); err != nil || s.asked.Load() != before {
		t.Error("a flood of keys has pushed out one that is in use")
	}
}

func TestRepeatsAreBoundedAndForgotten(t *testing.T) {
	t.Parallel()
	r, at := newRepeats(), time.Unix(1_700_000_000, 0)
	note := func(v visit, at time.Time) Class { return r.note(v, Human, false, at, at) }
	for i := range 3 * mostRepeats {
		note(visit(i), at)
	}
	if n := len(r.young) + len(r.older); n > 2*mostRepeats {
		t.Errorf("%d visits are kept", n)
	}
	if got := note(1<<40, at); got != Human {
		t.Errorf("the first: %v", got)
	}
	if got := note(1<<40, at.Add(repeatWindow-time.Millisecond)); got != Repeat {
		t.Errorf("just inside the window: %v", got)
	}
	if got := note(1<<40, at.Add(2*repeatWindow-time.Millisecond)); got != Human {
		t.Errorf("just outside: %v", got)
	}
	if got := note(1<<40, at); got != Human {
		t.Errorf("long before, by a clock that another workspace has: %v", got)
	}
}

func TestTheNextAfterAnUnstoredClickIsNoRepeat(t *testing.T) {
	t.Parallel()
	r, at := newRepeats(), time.Unix(1_700_000_000, 0)
	r.note(7, Human, false, at, at)
	r.forget(7)
	if got := r.note(7, Human, false, at, at); got != Human {
		t.Errorf("%v", got)
	}
}

func TestAgentsAreRememberedAndBounded(t *testing.T) {
	t.Parallel()
	a := newAgents()
	for i := range 3 * mostAgents {
		if a.robot("Mozilla/5.0 " + strconv.Itoa(i)) {
			t.Fatal("a person is a robot")
		}
	}
	if n := len(a.young) + len(a.older); n > 2*mostAgents {
		t.Errorf("%d agents are kept", n)
	}
	for range 2 {
		if !a.robot("Slackbot 1.0") || !a.robot("") {
			t.Error("a robot is a person")
		}
	}
}
