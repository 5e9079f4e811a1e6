package engine

import (
	"bytes"
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// What becomes of what an erased participant is owed.
const (
	PayOut  = "pay_out"
	Forfeit = "forfeit"
)

// NewErasure asks for the erasure of a person. Disposition is needed when the person is owed something. ExternalID is the caller's
// reference of the request.
type NewErasure struct {
	ParticipantExternalID string
	Disposition           *string
	BlockReuse            bool
	ExternalID            *string
}

// CreateErasure takes a person out of the data: identity, hashes, metadata and words about it go, ids and books stay. Its codes are
// retired, its open referrals as a referrer are closed, and what it is owed is paid out or forfeited. Known says that the request had
// been made before. Errors: unknown_reference, balance_outstanding, and conflict when the reference was used for a different request.
func (e *Engine) CreateErasure(ctx context.Context, tx *store.Tx, s Scope, n NewErasure) (row db.ErasureRequest, known bool, err error) {
	row = db.ErasureRequest{
		WorkspaceID: s.Workspace, ID: newID(), Disposition: n.Disposition, BlockReuse: n.BlockReuse, State: "running", CreatedAt: s.Now,
	}
	if n.ExternalID != nil {
		row.ReferenceHash = s.keyed("erasure", *n.ExternalID)
		before, err := e.q.GetErasureRequestByReference(ctx, tx.DB(), db.GetErasureRequestByReferenceParams{WorkspaceID: s.Workspace, ReferenceHash: row.ReferenceHash})
		if optional(err) != nil {
			return row, false, err
		}
		if err == nil {
			return before, true, sameErasure(before, row)
		}
	}
	p, err := e.q.GetParticipantByExternalID(ctx, tx.DB(), db.GetParticipantByExternalIDParams{WorkspaceID: s.Workspace, ExternalID: n.ParticipantExternalID})
	if err != nil {
		return row, false, lookUp(err, "/participant_external_id", "the participant")
	}
	if p.State == state.ParticipantErased {
		return row, false, problem.StateNotAllowed.With("the participant is erased already")
	}
	x := erasure{ban: ban{recorder: e.record(tx, s), id: p.ID, loaded: map[db.ListUnpaidHistoriesRow]bool{}, note: erasedNote}, request: &row}
	if deref(n.Disposition) == Forfeit {
		x.why = reason.Erased
	}
	if x.person, err = x.lock(ctx); err != nil {
		return row, false, err
	}
	row.ParticipantID = p.ID
	return row, false, x.run(ctx)
}

func sameErasure(before, now db.ErasureRequest) error {
	if deref(before.Disposition) != deref(now.Disposition) || before.BlockReuse != now.BlockReuse {
		return problem.Conflict.With("external_id was used for a different request").
			WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
	}
	return nil
}

// erasure is the work of one erasure. It begins like a ban.
type erasure struct {
	ban
	person  db.Participant
	request *db.ErasureRequest
	traces  []uuid.UUID // of everything that tells of the person
}

// lock takes the locks of everything that changes, in the order of a ban.
func (x *erasure) lock(ctx context.Context) (db.Participant, error) {
	if err := x.load(ctx, func(row db.ListUnpaidHistoriesRow) bool { return row.RefereeID != x.id }); err != nil {
		return db.Participant{}, err
	}
	p, err := x.e.lockParticipant(ctx, x.tx, x.s, x.id)
	if err != nil {
		return p, err
	}
	if p.State == state.ParticipantErased { // meanwhile
		return p, store.ErrRetry
	}
	return p, x.load(ctx, func(db.ListUnpaidHistoriesRow) bool { return true })
}

func (x *erasure) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		x.checkBalance, x.findTraces, x.retireCodes, x.closeHistories, x.cancelManual, x.refuseWaiting, x.eraseFacts, x.eraseClicks, x.eraseWords,
		x.erasePerson, x.flush,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkBalance refuses an erasure that does not say what becomes of what the person is owed.
func (x *erasure) checkBalance(ctx context.Context) error {
	if x.request.Disposition != nil {
		return nil
	}
	owed, err := x.e.q.ListPositiveBalances(ctx, x.tx.DB(), db.ListPositiveBalancesParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id})
	if err != nil || len(owed) == 0 {
		return err
	}
	return problem.BalanceOutstanding.With("Say with disposition whether what the participant is owed is paid out or forfeited.").
		WithErrors([]problem.FieldError{{Pointer: "/disposition", Message: "is needed while there is a balance"}})
}

func (x *erasure) findTraces(ctx context.Context) (err error) {
	x.traces, err = x.e.q.ListTracesOf(ctx, x.tx.DB(), db.ListTracesOfParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id})
	return err
}

// cancelManual cancels what was given by hand, where it is forfeited.
func (x *erasure) cancelManual(ctx context.Context) error {
	if x.why == "" {
		return nil
	}
	return x.ban.cancelManual(ctx)
}

// retireCodes ends the codes for good and takes their values away; an old link still leads to the program, and to nobody.
func (x *erasure) retireCodes(ctx context.Context) error {
	codes, err := x.e.q.ListCodesByParticipantForUpdate(ctx, x.tx.DB(), db.ListCodesByParticipantForUpdateParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id})
	if err != nil {
		return err
	}
	for i := range codes {
		c := codes[i]
		if c.State != state.CodeRetired {
			if err := x.moveCode(ctx, &codes[i], state.CodeRetired, nil); err != nil {
				return err
			}
			if err := x.e.q.ReleaseCode(ctx, x.tx.Guard(), releaseOf(c)); err != nil {
				return err
			}
		}
		if err := x.e.q.EraseCode(ctx, x.tx.Guard(), db.EraseCodeParams{
			WorkspaceID: x.s.Workspace, ID: c.ID, Value: code.ErasedValue, FoldedValue: code.Erased(x.s.HashKey, c.FoldedValue),
		}); err != nil {
			return err
		}
	}
	return nil
}

// erasePerson takes the identity away and stores the request.
func (x *erasure) erasePerson(ctx context.Context) error {
	p := x.person
	x.event("participant.erased", "participant", p.ID, participantData{State: state.ParticipantErased})
	if err := x.e.q.EraseParticipant(ctx, x.tx.Guard(), db.EraseParticipantParams{
		WorkspaceID: x.s.Workspace, ID: p.ID, ExternalID: "erased:" + p.ID.String(), Version: p.Version,
	}); err != nil {
		return err
	}
	r := x.request
	if err := x.e.q.CreateErasureRequest(ctx, x.tx.Write(), db.CreateErasureRequestParams{
		WorkspaceID: x.s.Workspace, ID: r.ID, ParticipantID: p.ID, ReferenceHash: r.ReferenceHash, Disposition: r.Disposition,
		BlockReuse: r.BlockReuse, CreatedAt: r.CreatedAt,
	}); err != nil || !r.BlockReuse {
		return err
	}
	return x.e.q.CreateErasureTombstones(ctx, x.tx.Write(), db.CreateErasureTombstonesParams{
		WorkspaceID: x.s.Workspace, ErasureRequestID: r.ID, Hashes: x.s.tombstones(p.ExternalID, bytes.Clone(p.EmailHash)),
	})
}
