package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// arrival stores a participant, which makes an event; hold keeps its transaction open.
func (w *world) arrival(on servertest.Workspace, name string, hold func()) error {
	e := engine.New(nil)
	return w.store.InTx(w.Context(), on.ID, func(ctx context.Context, tx *store.Tx) error {
		now := time.Now().UTC().Truncate(time.Microsecond)
		if _, err := e.CreateParticipant(ctx, tx, engine.Scope{Workspace: on.ID, HashKey: make([]byte, 32), Now: now}, name, engine.ParticipantChanges{}); err != nil {
			return err
		}
		hold()
		return nil
	})
}

func (w *world) seal(on servertest.Workspace) int {
	w.Helper()
	n, err := engine.New(nil).SealEvents(w.Context(), w.store, on.ID)
	if err != nil {
		w.Error(err)
	}
	return n
}

// whole checks that every event of a workspace is in the chain.
func (w *world) whole(on servertest.Workspace) {
	w.Helper()
	v, err := engine.New(nil).VerifyLog(w.Context(), w.store.DB(on.ID), on.ID, 1)
	if err != nil || v.Fault != "" || !v.Complete || v.Unsealed != 0 {
		w.Errorf("%+v, %v", v, err)
	}
	if n := w.count("SELECT count(*) FROM events WHERE workspace_id = $1", on.ID); int64(n) != v.Sealed {
		w.Errorf("%d of %d events are sealed", v.Sealed, n)
	}
}

func TestAnEventIsSealedWhenItIsCommittedWhateverItsID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	written, commit, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.arrival(live, "late", func() { close(written); <-commit })
	}()
	<-written
	if err := w.arrival(live, "early", func() {}); err != nil {
		t.Fatal(err)
	}
	w.seal(live)
	w.whole(live)
	close(commit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := w.seal(live); n != 1 {
		t.Errorf("%d events are sealed, not 1", n)
	}
	w.whole(live)
	const position = "SELECT seq FROM event_seals JOIN events ON events.id = event_id JOIN participants ON participants.id = subject_id WHERE external_id = $1"
	if early, late := w.count(position, "early"), w.count(position, "late"); early >= late {
		t.Errorf("early has number %d, late %d", early, late)
	}
}

func TestSealersInManyProcessesMakeOneChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	const writers, each = 8, 150
	sealed := make([]int, 4)
	writing, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		together(len(sealed), func(i int) {
			for writing.Err() == nil {
				sealed[i] += w.seal(live)
			}
		})
	}()
	together(writers, func(i int) {
		for j := range each {
			if err := w.arrival(live, fmt.Sprintf("%d of %d", j, i), func() {}); err != nil {
				t.Error(err)
			}
		}
	})
	stop()
	<-ended
	w.seal(live)
	w.whole(live)
	t.Logf("%d sealers: %v", len(sealed), sealed)
	if n := w.count("SELECT count(*) FROM event_checkpoints WHERE workspace_id = $1", live.ID); n != 1 {
		t.Errorf("%d checkpoints, not 1", n)
	}
}

// An event that was written and is gone is told, again and again: nobody acts as if it had never been.
func TestAMissingEventStopsTheSeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	w.exec("INSERT INTO event_batches (workspace_id, id, event_ids) VALUES ($1, $2, ARRAY[$2::uuid])", live.ID, uuid.Must(uuid.NewV7()))
	worker := w.turn(time.Now())
	if n := w.metric(worker, "grapevine_worker_failures_total", "due"); n != 1 {
		t.Errorf("%v failures are counted, not 1", n)
	}
	if n := w.count("SELECT count(*) FROM event_seals WHERE workspace_id = $1", live.ID); n != 0 {
		t.Errorf("%d events are sealed beside it", n)
	}
}
