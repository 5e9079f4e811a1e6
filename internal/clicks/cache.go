package clicks

import (
	"context"
	"sync"
	"time"
)

const (
	freshFor = 2 * time.Second // how old an answer may be
	staleFor = 24 * time.Hour  // how old while the database cannot be asked
	fetchFor = time.Second     // how long the database is waited for
	// mostAskers bounds the questions to the database at a time; what is asked for meanwhile becomes one question. Without it a
	// thousand codes that get old together ask for a thousand connections.
	mostAskers = 2
	// mostCached bounds one of two generations of a cache.
	mostCached = 20_000
)

// cache remembers answers of the database by key, also that there is nothing. An answer in the second half of its age is asked for
// anew while it is used, and one past its age once for all who wait for it; when that fails, the old one stands in for a while. It
// forgets by generations: when the younger is full it becomes the older, and the older is dropped, so that a flood of made-up keys
// pushes out no key that is in use.
type cache[K comparable, V any] struct {
	fetch func(ctx context.Context, keys []K, land func(K, V, error)) // lands every key
	now   func() time.Time

	mu           sync.RWMutex
	young, older map[K]answer[V]
	flights      map[K]*flight[V]
	waiting      []K // of flights that have not begun
	askers       int
}

// answer is a value and when it was current.
type answer[V any] struct {
	value   V
	current time.Time
	asked   time.Time // when the database was last asked; after current when that failed
}

// flight is a question that the database is being asked.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
	begun time.Time
}

func newCache[K comparable, V any](fetch func(context.Context, []K, func(K, V, error))) *cache[K, V] {
	return &cache[K, V]{fetch: fetch, now: time.Now, young: map[K]answer[V]{}, flights: map[K]*flight[V]{}}
}

// get gives the value of a key, or the database's error when there is no value that may still be used.
func (c *cache[K, V]) get(ctx context.Context, key K) (V, error) {
	known, ok := c.look(key)
	now := c.now()
	usable, age := ok && now.Sub(known.current) < staleFor, now.Sub(known.asked)
	if usable && age < freshFor/2 {
		return known.value, nil
	}
	f := c.ask(key, known)
	if usable && age < freshFor {
		return known.value, nil
	}
	if usable && known.asked.After(known.current) {
		return known.value, nil // the database was gone a moment ago: nobody waits for it again
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return known.value, ctx.Err()
	}
	if f.err != nil && usable {
		return known.value, nil
	}
	return f.value, f.err
}

func (c *cache[K, V]) look(key K) (answer[V], bool) {
	c.mu.RLock()
	known, ok := c.young[key]
	_, old := c.older[key]
	c.mu.RUnlock()
	if ok || !old {
		return known, ok
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok = c.young[key]; !ok { // not even by now
		if known, ok = c.older[key]; ok {
			c.keep(key, known)
		}
	}
	return known, ok
}

// ask joins the flight for a key, or starts it, unless one has brought something newer than what is known.
func (c *cache[K, V]) ask(key K, known answer[V]) *flight[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; f != nil {
		return f
	}
	f := &flight[V]{done: make(chan struct{})}
	if newer, ok := c.young[key]; ok && newer.asked.After(known.asked) && newer.current.After(known.current) {
		f.value = newer.value
		close(f.done)
		return f
	}
	c.flights[key] = f
	c.waiting = append(c.waiting, key)
	if c.askers < mostAskers {
		c.askers++
		go c.work()
	}
	return f
}

// work asks the database until nobody waits for it to be asked. Who asked first may go away; the others still want the answer.
func (c *cache[K, V]) work() {
	for {
		keys, flights := c.take()
		if keys == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), fetchFor)
		c.fetch(ctx, keys, func(key K, value V, err error) { c.land(key, flights[key], value, err) })
		cancel()
	}
}

// take begins all flights that wait.
func (c *cache[K, V]) take() (keys []K, flights map[K]*flight[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if keys, c.waiting = c.waiting, nil; keys == nil {
		c.askers--
		return nil, nil
	}
	flights = make(map[K]*flight[V], len(keys))
	for _, key := range keys {
		flights[key] = c.flights[key]
		flights[key].begun = c.now()
	}
	return keys, flights
}

func (c *cache[K, V]) land(key K, f *flight[V], value V, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	f.value, f.err = value, err
	if c.flights[key] != f {
		return // forgotten: what it brings may be older than what forget was called for
	}
	delete(c.flights, key)
	known, ok := c.young[key]
	switch {
	case err == nil:
		c.keep(key, answer[V]{value: value, current: f.begun, asked: f.begun})
	case ok:
		known.asked = c.now()
		c.young[key] = known
	}
}

func (c *cache[K, V]) keep(key K, known answer[V]) {
	if len(c.young) >= mostCached {
		c.older, c.young = c.young, make(map[K]answer[V], mostCached/4)
	}
	c.young[key] = known
}

// forget makes the next use of the keys ask the database. The old answers stay for the case that it cannot be asked.
func (c *cache[K, V]) forget(match func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, f := range c.flights {
		if match(key) && !f.begun.IsZero() {
			delete(c.flights, key)
		}
	}
	for _, generation := range []map[K]answer[V]{c.young, c.older} {
		for key, known := range generation {
			if match(key) {
				known.asked = time.Time{}
				generation[key] = known
			}
		}
	}
}
