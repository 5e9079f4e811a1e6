package engine

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/chain"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// sealBatch bounds the transactions whose events are sealed together.
const sealBatch = 200

// SealEvents puts what was committed to the log into its chain, and says how many events. Any number of processes may call it at any
// time: all but one find nothing to do.
func (e *Engine) SealEvents(ctx context.Context, st *store.Store, workspace uuid.UUID) (int, error) {
	sealed := 0
	more, err := e.q.HasEventsToSeal(ctx, st.DB(workspace), workspace)
	for more && err == nil {
		var n int
		err = st.InTx(ctx, workspace, func(ctx context.Context, tx *store.Tx) (err error) {
			n, more, err = e.sealSome(ctx, tx, workspace)
			return err
		})
		if err == nil {
			sealed += n
		}
	}
	return sealed, err
}

// sealSome seals the events of the oldest markers.
func (e *Engine) sealSome(ctx context.Context, tx *store.Tx, workspace uuid.UUID) (n int, more bool, err error) {
	head, events, more, err := e.takeUnsealed(ctx, tx, workspace)
	if err != nil || len(events) == 0 {
		return 0, false, err
	}
	seals := db.CreateEventSealsParams{WorkspaceID: workspace}
	var checkpoints []db.CreateEventCheckpointParams
	hash := chain.Hash(head.Hash)
	for i, ev := range events {
		seq := head.Seq + int64(i) + 1
		hash = chain.Next(hash, linked(ev))
		seals.Seqs, seals.EventIds, seals.Hashes = append(seals.Seqs, seq), append(seals.EventIds, ev.ID), append(seals.Hashes, bytes.Clone(hash[:]))
		if seq%chain.CheckpointEvery == 0 {
			checkpoints = append(checkpoints, db.CreateEventCheckpointParams{WorkspaceID: workspace, Seq: seq, Hash: bytes.Clone(hash[:])})
		}
	}
	if err := e.q.CreateEventSeals(ctx, tx.Write(), seals); err != nil {
		return 0, false, err
	}
	for _, c := range checkpoints {
		if err := e.q.CreateEventCheckpoint(ctx, tx.Write(), c); err != nil {
			return 0, false, err
		}
		// The log of the process is a copy that whoever may write to the database cannot reach.
		tx.OnCommit(func() {
			e.log.Info("checkpoint of the log", "workspace_id", workspace.String(), "seq", c.Seq, "hash", hex.EncodeToString(c.Hash))
		})
	}
	return len(events), more, e.q.MoveEventHead(ctx, tx.Guard(), db.MoveEventHeadParams{
		WorkspaceID: workspace, Seq: head.Seq + int64(len(events)), Hash: hash[:], FromSeq: head.Seq,
	})
}

// takeUnsealed locks the end of the chain, takes the oldest markers and reads their events, in the order in which they are sealed.
// There are none when another process is at it.
func (e *Engine) takeUnsealed(ctx context.Context, tx *store.Tx, workspace uuid.UUID) (head db.EventHead, events []db.Event, more bool, err error) {
	err = tx.Load(ctx, func(tx store.DBTX) error {
		genesis := chain.Genesis(workspace)
		if err := e.q.CreateEventHead(ctx, tx, db.CreateEventHeadParams{WorkspaceID: workspace, Genesis: genesis[:]}); err != nil {
			return err
		}
		if head, err = e.q.LockEventHead(ctx, tx, workspace); err != nil {
			return optional(err)
		}
		batches, err := e.q.TakeEventBatches(ctx, tx, db.TakeEventBatchesParams{WorkspaceID: workspace, BatchLimit: sealBatch})
		if err != nil || len(batches) == 0 {
			return err
		}
		more = len(batches) == sealBatch
		slices.SortFunc(batches, func(a, b db.TakeEventBatchesRow) int { return bytes.Compare(a.ID[:], b.ID[:]) })
		var ids []uuid.UUID
		for _, b := range batches {
			ids = append(ids, b.EventIds...)
		}
		rows, err := e.q.ListEventsByID(ctx, tx, db.ListEventsByIDParams{WorkspaceID: workspace, Ids: ids})
		if err != nil {
			return err
		}
		byID := make(map[uuid.UUID]db.Event, len(rows))
		for _, r := range rows {
			byID[r.ID] = r
		}
		for _, id := range ids {
			ev, ok := byID[id]
			if !ok {
				return fmt.Errorf("event %s was written and is gone: the log is not sealed any further", id)
			}
			events = append(events, ev)
		}
		return nil
	})
	return head, events, more, err
}

// linked is what the chain holds of an event.
func linked(ev db.Event) chain.Event {
	return chain.Event{
		ID: ev.ID, Type: ev.Type, SubjectType: ev.SubjectType, SubjectID: ev.SubjectID, Data: ev.Data, NoteDigest: ev.NoteDigest,
		CreatedAt: ev.CreatedAt, Note: ev.Note, Salt: ev.NoteSalt,
	}
}

// LogVerification says whether a stretch of the log is what was written. Seq is how far it was verified, Hash the hash there, and
// Checkpoint the last place whose copy of the hash was right. Sealed is how far the chain goes; Complete says that the stretch goes up
// to there and that nothing lies outside of the chain. Where it is broken, FirstBroken is the first number that cannot be trusted.
type LogVerification struct {
	Seq, Checkpoint, Sealed, Unsealed int64
	Hash                              []byte
	Complete                          bool
	Fault                             chain.Fault // empty when verified
	FirstBroken                       int64
}

const (
	verifyPage = 1000
	verifyMost = 50_000
)

// VerifyLog walks along the chain from a number on, in pages, for up to fifty thousand events. A walk that does not begin at 1 trusts the
// hash before it, which an earlier walk has verified.
func (e *Engine) VerifyLog(ctx context.Context, on store.DBTX, workspace uuid.UUID, from int64) (LogVerification, error) {
	end, err := e.q.GetLogEnd(ctx, on, workspace)
	if err != nil {
		return LogVerification{}, err
	}
	v := LogVerification{Sealed: end.Seq, Unsealed: end.Unsealed}
	w, err := e.walkFrom(ctx, on, workspace, min(from-1, end.Seq))
	if err == nil {
		v.Fault, v.FirstBroken, err = e.walk(ctx, on, workspace, &w, min(end.Seq, w.Seq+verifyMost))
	}
	if err != nil {
		return LogVerification{}, err
	}
	v.Seq, v.Hash, v.Checkpoint = w.Seq, w.Hash[:], w.Checkpoint
	if v.Fault != "" || w.Seq < end.Seq {
		return v, nil
	}
	v.Complete = true
	if end.LastSeq > end.Seq || (end.Seq > 0 && !bytes.Equal(end.Hash, w.Hash[:])) {
		v.Fault, v.FirstBroken = chain.End, end.Seq+1
		return v, nil
	}
	stray, err := e.q.CountStrayEvents(ctx, on, workspace)
	switch {
	case stray > 0:
		v.Fault, v.FirstBroken = chain.Stray, end.Seq+1
	case stray < 0:
		v.Fault, v.FirstBroken = chain.Missing, end.Seq+1
	}
	return v, err
}

// walkFrom is a walk that has come as far as a number.
func (e *Engine) walkFrom(ctx context.Context, on store.DBTX, workspace uuid.UUID, seq int64) (chain.Walk, error) {
	if seq <= 0 {
		return chain.Walk{Hash: chain.Genesis(workspace)}, nil
	}
	seal, err := e.q.GetEventSeal(ctx, on, db.GetEventSealParams{WorkspaceID: workspace, Seq: seq})
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		return chain.Walk{}, err
	}
	w := chain.Walk{Seq: seq, Checkpoint: seq}
	copy(w.Hash[:], seal.Hash) // where it is gone, no hash follows
	return w, nil
}

func (e *Engine) walk(ctx context.Context, on store.DBTX, workspace uuid.UUID, w *chain.Walk, upTo int64) (chain.Fault, int64, error) {
	for w.Seq < upTo {
		rows, err := e.q.ListSealedEvents(ctx, on, db.ListSealedEventsParams{WorkspaceID: workspace, After: w.Seq, UpTo: upTo, PageLimit: verifyPage})
		if err != nil {
			return "", 0, err
		}
		if len(rows) == 0 {
			return chain.Missing, w.Seq + 1, nil
		}
		for _, r := range rows {
			if fault, at := w.Step(link(r)); fault != "" {
				return fault, at, nil
			}
		}
	}
	return "", 0, nil
}

func link(r db.ListSealedEventsRow) chain.Link {
	l := chain.Link{Seq: r.Seq, Hash: r.Hash, Checkpoint: r.Checkpoint}
	if r.ID != nil {
		e := linked(db.Event{
			ID: *r.ID, Type: *r.Type, SubjectType: *r.SubjectType, SubjectID: *r.SubjectID, Data: r.Data, Note: r.Note, NoteSalt: r.NoteSalt,
			NoteDigest: r.NoteDigest, CreatedAt: *r.CreatedAt,
		})
		l.Event = &e
	}
	return l
}
