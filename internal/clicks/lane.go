package clicks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const (
	// mostRows bounds a batch, and with it the queue, which is the batch that gathers while another is committed.
	mostRows = 2000
	// patience is how long visitors wait for a commit. The clicks of those who are sent on without an id may still be stored.
	patience = 2 * time.Second
	// pause is how long the writer leaves the database alone after a failure.
	pause = 20 * time.Millisecond
	// writeFor bounds the wait for the database, after which the outcome is unknown.
	writeFor = 10 * time.Second
)

// Why a click has no acknowledgement.
var (
	ErrBusy    = errors.New("clicks: the queue is full")
	ErrSlow    = errors.New("clicks: the commit takes too long")
	ErrStopped = errors.New("clicks: the lane is stopped")
)

// lane commits clicks in batches: while one is committed, the next one gathers. It is one queue and one writer, whatever the
// number of workspaces.
type lane struct {
	store    *store.Store
	log      *slog.Logger
	patience time.Duration

	mu      sync.Mutex
	open    *batch
	stopped bool

	wake chan struct{} // has room for one: the writer looks again
	done chan struct{} // closed when the writer has ended
	free []byte        // the buffer of the batch before, for the batch after

	failed   int       // clicks without an acknowledgement that the log does not know of; the writer's
	reported time.Time // when it was told last
}

// batch is a number of clicks, encoded, and who waits for them.
type batch struct {
	id       uuid.UUID
	rows     []byte
	count    int
	spans    []span
	answered chan struct{}
	err      error // what is answered; read after answered is closed
	settled  bool  // answered is closed; guarded by the lane
}

// span is the clicks of one workspace in a batch: the least and the greatest id.
type span struct {
	workspace, first, last uuid.UUID
}

func startLane(s *store.Store, log *slog.Logger) *lane {
	l := &lane{store: s, log: log, patience: patience, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.open = l.newBatch()
	go l.run()
	return l
}

func (l *lane) newBatch() *batch {
	b := &batch{id: newID(time.Now()), rows: append(l.free[:0], copyHeader...), answered: make(chan struct{})}
	l.free = nil
	return b
}

// commit stores a click and returns when it is committed, or after twice the patience at the latest. After any error it may be stored
// or not.
func (l *lane) commit(click *db.Click) error {
	b, err := l.queue(click)
	if err != nil {
		return err
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-b.answered
	return b.err
}

func (l *lane) queue(click *db.Click) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.open
	switch {
	case l.stopped:
		return nil, ErrStopped
	case b.count == mostRows:
		return nil, ErrBusy
	}
	click.BatchID = b.id
	b.rows = appendRow(b.rows, click)
	b.count++
	b.extend(click.WorkspaceID, click.ID)
	return b, nil
}

func (b *batch) extend(workspace, id uuid.UUID) {
	for i := range b.spans {
		if s := &b.spans[i]; s.workspace == workspace {
			if bytes.Compare(id[:], s.first[:]) < 0 {
				s.first = id
			}
			if bytes.Compare(id[:], s.last[:]) > 0 {
				s.last = id
			}
			return
		}
	}
	b.spans = append(b.spans, span{workspace, id, id})
}

// run is the writer.
func (l *lane) run() {
	defer close(l.done)
	for range l.wake {
		for {
			b, last := l.take()
			if b != nil {
				err := l.write(b)
				l.settle(b, err)
				if err != nil && !last {
					time.Sleep(pause)
				}
			}
			if last {
				return
			}
			if b == nil {
				break
			}
		}
	}
}

// take closes the open batch; it is nil when nobody is in it.
func (l *lane) take() (b *batch, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open.count > 0 {
		b = l.open
		l.open = l.newBatch()
	}
	return b, l.stopped
}

// write commits a batch, and lets go of those who wait when that takes too long: of the batch's own, and of those behind it.
func (l *lane) write(b *batch) error {
	impatience := time.AfterFunc(l.patience, func() {
		l.mu.Lock()
		open := l.open
		l.mu.Unlock()
		l.answer(b, ErrSlow)
		l.answer(open, ErrSlow) // its clicks stay, and so do those that are still to join it
	})
	defer impatience.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), writeFor)
	defer cancel()
	// The transaction is of all workspaces of the batch. On a distributed database there would be a lane for each.
	return l.store.Copy(ctx, b.spans[0].workspace, b.statements(), append(b.rows, copyTrailer...))
}

// statements are the COPY and the insert of the markers.
func (b *batch) statements() string {
	var s strings.Builder
	s.WriteString(copyRows)
	s.WriteString("; INSERT INTO click_batches (workspace_id, id, first_click_id, last_click_id) VALUES ")
	for i, span := range b.spans {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "('%s', '%s', '%s', '%s')", span.workspace, b.id, span.first, span.last)
	}
	return s.String()
}

// settle answers everybody in a batch that was written or not.
func (l *lane) settle(b *batch, err error) {
	l.answer(b, err)
	l.mu.Lock()
	l.free = b.rows
	l.mu.Unlock()
	if err == nil {
		return
	}
	if l.failed += b.count; time.Since(l.reported) >= time.Second { // an outage must not fill the log
		l.log.Warn("clicks were not acknowledged", "count", l.failed, "error", store.LogText(err))
		l.failed, l.reported = 0, time.Now()
	}
}

func (l *lane) answer(b *batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !b.settled {
		b.settled, b.err = true, err
		close(b.answered)
	}
}

// stop commits what is queued and takes no more.
func (l *lane) stop(ctx context.Context) error {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
