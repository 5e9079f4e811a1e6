package chain_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/chain"
)

func ptr[T any](v T) *T { return &v }

func event(n byte) chain.Event {
	return chain.Event{
		ID: [16]byte{n}, Type: "reward.granted", SubjectType: "reward", SubjectID: [16]byte{9, n}, Data: []byte(`{"granted": 500}`),
		CreatedAt: time.Date(2026, 5, 4, 12, 0, 0, int(n)*1000, time.UTC),
	}
}

// links chains n events by the book.
func links(n int) []chain.Link {
	hash := chain.Genesis([16]byte{1})
	var out []chain.Link
	for i := range n {
		e := event(byte(i))
		hash = chain.Next(hash, e)
		l := chain.Link{Seq: int64(i + 1), Event: &e, Hash: append([]byte{}, hash[:]...)}
		if l.Seq%chain.CheckpointEvery == 0 {
			l.Checkpoint = l.Hash
		}
		out = append(out, l)
	}
	return out
}

func walk(links []chain.Link) (chain.Fault, int64, chain.Walk) {
	w := chain.Walk{Hash: chain.Genesis([16]byte{1})}
	for _, l := range links {
		if fault, at := w.Step(l); fault != "" {
			return fault, at, w
		}
	}
	return "", 0, w
}

// Whoever verifies with another program needs these bytes never to change.
func TestTheHashIsFixed(t *testing.T) {
	t.Parallel()
	hash := chain.Next(chain.Genesis([16]byte{1}), event(1))
	if got := hex.EncodeToString(hash[:]); got != "0dced4c31cf3555e7437b9cf6cf2c2219eed59805eacf1c84e288b623e2862b1" {
		t.Errorf("the hash is %s", got)
	}
}

func TestAChainHolds(t *testing.T) {
	t.Parallel()
	fault, _, w := walk(links(2500))
	if fault != "" || w.Seq != 2500 || w.Checkpoint != 2000 {
		t.Errorf("%s after %+v", fault, w)
	}
}

func TestEveryPartOfAnEventCounts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(e *chain.Event){
		"id":                      func(e *chain.Event) { e.ID[15]++ },
		"type":                    func(e *chain.Event) { e.Type = "reward.granteD" },
		"subject type":            func(e *chain.Event) { e.SubjectType = "" },
		"where a text ends":       func(e *chain.Event) { e.Type, e.SubjectType = "reward.grantedr", "eward" },
		"subject":                 func(e *chain.Event) { e.SubjectID[0]++ },
		"data":                    func(e *chain.Event) { e.Data = []byte(`{"granted": 501}`) },
		"time":                    func(e *chain.Event) { e.CreatedAt = e.CreatedAt.Add(time.Microsecond) },
		"a note that never was":   func(e *chain.Event) { e.Note = ptr("x") },
		"a digest that never was": func(e *chain.Event) { e.NoteDigest = chain.NoteDigest(nil, "x") },
	} {
		all := links(5)
		change(all[2].Event)
		if fault, at, w := walk(all); fault != chain.Changed || at != 3 || w.Seq != 2 {
			t.Errorf("%s: %s at %d, verified up to %d", name, fault, at, w.Seq)
		}
	}
}

func TestErasedWordsLeaveTheChainWhole(t *testing.T) {
	t.Parallel()
	e := event(1)
	e.Note, e.Salt = ptr("told us on the phone"), []byte("salt")
	e.NoteDigest = chain.NoteDigest(e.Salt, *e.Note)
	hash := chain.Next(chain.Genesis([16]byte{1}), e)
	for name, c := range map[string]struct {
		change func(e *chain.Event)
		want   chain.Fault
	}{
		"as they were": {func(*chain.Event) {}, ""},
		"erased":       {func(e *chain.Event) { e.Note, e.Salt = nil, nil }, ""},
		"other words":  {func(e *chain.Event) { e.Note = ptr("told us by mail") }, chain.Changed},
		"another salt": {func(e *chain.Event) { e.Salt = []byte("pepper") }, chain.Changed},
		"no digest":    {func(e *chain.Event) { e.Note, e.NoteDigest = nil, nil }, chain.Changed},
	} {
		e := e
		c.change(&e)
		if fault, _, _ := walk([]chain.Link{{Seq: 1, Event: &e, Hash: hash[:]}}); fault != c.want {
			t.Errorf("%s: %q", name, fault)
		}
	}
}

func TestBrokenChainsAreSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		length int
		change func(all []chain.Link) []chain.Link
		fault  chain.Fault
		at     int64
	}{
		{"a hash of its own", 5, func(all []chain.Link) []chain.Link { all[3].Hash = make([]byte, 32); return all }, chain.Changed, 4},
		{"no event", 5, func(all []chain.Link) []chain.Link { all[1].Event = nil; return all }, chain.Missing, 2},
		{"no link", 5, func(all []chain.Link) []chain.Link { return append(all[:1], all[2:]...) }, chain.Missing, 2},
		{"no first link", 5, func(all []chain.Link) []chain.Link { return all[1:] }, chain.Missing, 1},
		{"events that changed places", 5, func(all []chain.Link) []chain.Link {
			all[2].Event, all[3].Event = all[3].Event, all[2].Event
			return all
		}, chain.Changed, 3},
		{"links that changed places", 5, func(all []chain.Link) []chain.Link {
			all[2].Event, all[3].Event = all[3].Event, all[2].Event
			all[2].Hash, all[3].Hash = all[3].Hash, all[2].Hash
			return all
		}, chain.Changed, 3},
		{"a chain made anew", 2100, func(all []chain.Link) []chain.Link {
			w := chain.Walk{Hash: chain.Genesis([16]byte{1})}
			all[1500].Event.Data = []byte(`{}`)
			for i := range all {
				w.Hash = chain.Next(w.Hash, *all[i].Event)
				all[i].Hash = append([]byte{}, w.Hash[:]...)
			}
			return all
		}, chain.Checkpoint, 1001},
		{"no copy", 2100, func(all []chain.Link) []chain.Link { all[999].Checkpoint = nil; return all }, chain.Checkpoint, 1},
	} {
		if fault, at, _ := walk(c.change(links(c.length))); fault != c.fault || at != c.at {
			t.Errorf("%s: %q at %d, want %q at %d", c.name, fault, at, c.fault, c.at)
		}
	}
}
