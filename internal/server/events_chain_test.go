package server

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// log reads the log of a workspace, newest first, as far as a page goes.
func (c caller) log() []client.Event {
	c.w.Helper()
	return must[*client.ListEventsResult](c.w)(c.ListEventsWithResponse(c.w.Context(), &client.ListEventsParams{Limit: ptr[int64](200)})).JSON200.Data
}

func (c caller) verify(from int64) client.EventVerification {
	c.w.Helper()
	return *must[*client.VerifyEventsResult](c.w)(c.VerifyEventsWithResponse(c.w.Context(), &client.VerifyEventsParams{FromSeq: &from})).JSON200
}

func TestEventsAreNumberedAndChained(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	p.buy("bob", "order-1", 10_000, nil)
	before := p.log()
	for _, e := range before {
		if !e.Seq.IsNull() {
			t.Errorf("%s has number %d before anything sealed it", e.Type, e.Seq.MustGet())
		}
	}
	if v := p.verify(1); !v.Verified || !v.Complete || v.Sealed != 0 || v.Unsealed != int64(len(before)) || v.ThroughSeq != 0 {
		t.Errorf("before: %+v", v)
	}
	p.moveClock(time.Now().Add(time.Hour))
	all := p.log()
	for i, e := range all {
		if want := int64(len(all) - i); e.Seq.MustGet() != want {
			t.Errorf("%s has number %d, want %d", e.Type, e.Seq.MustGet(), want)
		}
		if one := must[*client.GetEventResult](t)(p.GetEventWithResponse(t.Context(), e.ID)).JSON200; one.Seq.MustGet() != e.Seq.MustGet() {
			t.Errorf("alone it has number %d", one.Seq.MustGet())
		}
	}
	last := int64(len(all))
	v := p.verify(1)
	if !v.Verified || !v.Complete || v.Sealed != last || v.Unsealed != 0 || v.ThroughSeq != last || !v.FirstBrokenSeq.IsNull() || v.Reason != nil {
		t.Errorf("after: %+v", v)
	}
	if again := p.verify(3); !again.Verified || again.Hash != v.Hash || again.FromSeq != 3 {
		t.Errorf("from the third on: %+v", again)
	}
	if beyond := p.verify(last + 500); !beyond.Verified || beyond.Hash != v.Hash || beyond.ThroughSeq != last {
		t.Errorf("from beyond the end: %+v", beyond)
	}
	if other := p.w.live().verify(1); !other.Verified || other.Sealed != 0 {
		t.Errorf("the live workspace: %+v", other)
	}
}

// Whoever may write to the database can change a row, but not so that it goes unseen. Nothing is repaired.
func TestATamperedLogIsSeen(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	bob := p.participant("alice")
	must[*client.SuspendParticipantResult](t)(p.SuspendParticipantWithResponse(t.Context(), bob.ID, &client.SuspendParticipantParams{}, client.ActionReason{Reason: "a report"}))
	p.moveClock(time.Now().Add(time.Hour))
	sound := p.verify(1)
	e := p.log()[1]
	if e.Data["note"] != "a report" {
		t.Errorf("the note is %v", e.Data["note"])
	}
	seq := e.Seq.MustGet()
	for _, c := range []struct{ sql, undo string }{
		{`UPDATE events SET data = '{"state": "active"}' WHERE id = $1`, `UPDATE events SET data = '{"state": "suspended"}' WHERE id = $1`},
		{`UPDATE events SET note = 'no reason' WHERE id = $1`, `UPDATE events SET note = 'a report' WHERE id = $1`},
		{`UPDATE events SET subject_id = gen_random_uuid() WHERE id = $1`, `UPDATE events SET subject_id = (SELECT id FROM participants WHERE external_id = 'alice') WHERE id = $1`},
	} {
		p.w.exec(c.sql, e.ID)
		for range 2 {
			v := p.verify(1)
			if v.Verified || v.Complete || v.FirstBrokenSeq.MustGet() != seq || v.ThroughSeq != seq-1 || *v.Reason != client.ChainFaultChanged || v.Hash == sound.Hash {
				t.Errorf("%s: %+v", c.sql, v)
			}
			p.moveClock(time.Now().Add(2 * time.Hour)) // goes on sealing
		}
		if v := p.verify(seq); v.Verified || v.FirstBrokenSeq.MustGet() != seq {
			t.Errorf("%s, from there on: %+v", c.sql, v)
		}
		p.w.exec(c.undo, e.ID)
		if v := p.verify(1); !v.Verified || !v.Complete {
			t.Errorf("undone: %+v", v)
		}
	}
	if raw, err := hex.DecodeString(sound.Hash); err != nil || p.w.number("SELECT seq FROM event_seals WHERE hash = $1", raw) != sound.ThroughSeq {
		t.Errorf("the hash %s is not that of the end: %v", sound.Hash, err)
	}
	// The words may go, with their salt: the chain holds their digest only.
	p.w.exec(`UPDATE events SET note = NULL, note_salt = NULL WHERE id = $1`, e.ID)
	if v := p.verify(1); !v.Verified {
		t.Errorf("without the words: %+v", v)
	}
}

// exec does something as the owner of the database.
func (w *world) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.database.Owner(w).Exec(w.Context(), sql, args...); err != nil {
		w.Fatal(err)
	}
}
