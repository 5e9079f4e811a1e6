package clicks

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// repeatWindow is how shortly after a click another one of the same visitor and code is a repeat.
	repeatWindow = 10 * time.Second
	// mostRepeats bounds one of two generations: a window's worth of clicks at full speed, some 10 MB.
	mostRepeats = 200_000
)

// visit is a visitor at a code. The visitor's hash is keyed, so that nobody can make two visits look like one.
type visit uint64

func visitOf(v Visitor, code uuid.UUID) visit {
	return visit(binary.LittleEndian.Uint64(v.Hash) ^ binary.LittleEndian.Uint64(code[8:]))
}

type seen struct {
	at   int64 // milliseconds of the workspace's clock
	head bool  // the visit began with a HEAD request
}

// repeats remembers who clicked what a moment ago, in this process only: a repeat that another process meets is counted as a click.
// It forgets by generations: when the younger is full or as old as the window, it becomes the older, and the older is dropped.
type repeats struct {
	mu           sync.Mutex
	young, older map[visit]seen
	born         time.Time
}

func newRepeats() *repeats { return &repeats{young: map[visit]seen{}} }

// note remembers a visit and returns its class in view of the visit before. Browsers do not ask for the head of a page that they
// are about to open; the scanners of mail providers do.
func (r *repeats) note(v visit, class Class, head bool, at, now time.Time) Class {
	if class == Bot || class == Prefetch && !head {
		return class
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.young[v]
	if !ok {
		last, ok = r.older[v]
	}
	if len(r.young) >= mostRepeats || now.Sub(r.born) >= repeatWindow {
		r.older, r.young, r.born = r.young, make(map[visit]seen, len(r.young)/2), now
	}
	this := seen{at: at.UnixMilli(), head: head}
	if distance := this.at - last.at; !ok || max(distance, -distance) >= repeatWindow.Milliseconds() {
		r.young[v] = this
		return class
	}
	this.head = last.head
	r.young[v] = this
	switch {
	case head:
		return class
	case last.head:
		return Bot
	default:
		return Repeat
	}
}

// forget takes back a visit that was not stored: the next one is not its repeat.
func (r *repeats) forget(v visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, v)
	delete(r.older, v)
}
