package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/chain"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// recorder gathers what a transaction writes besides its own rows: transfers, statistics and events. flush queues them.
type recorder struct {
	e         *Engine
	tx        *store.Tx
	s         Scope
	transfers []db.LedgerTransfer
	counts    map[cell]counts
	events    []event
	made      []db.Referral // by this transaction, which the database does not show before its end

	limits map[limitKey]db.RewardLimit // as they were when they were locked
	used   map[limitKey]int64          // what this transaction adds to limits
	stored map[monthCell]progress
	months map[monthCell]progress // what this transaction adds to what referrers have reached
}

type event struct {
	kind, subject string
	id            uuid.UUID
	data          any
}

func (e *Engine) record(tx *store.Tx, s Scope) *recorder {
	return &recorder{
		e: e, tx: tx, s: s, counts: map[cell]counts{}, limits: map[limitKey]db.RewardLimit{}, used: map[limitKey]int64{},
		stored: map[monthCell]progress{}, months: map[monthCell]progress{},
	}
}

// event appends to the log. data must marshal to an object; it holds ids, amounts, states and reasons, never anything of a person, but
// for the words under "note".
func (r *recorder) event(kind, subject string, id uuid.UUID, data any) {
	r.events = append(r.events, event{kind, subject, id, data})
}

// Account kinds and recipes of the ledger, as the schema lists them.
const (
	expense   = "expense"
	pending   = "pending"
	available = "available"
	reserved  = "reserved"
	cash      = "cash"
	breakage  = "breakage"
	redeemed  = "redeemed"

	accrue   = "accrue"
	mature   = "mature"
	hold     = "hold"
	cancel   = "cancel"
	clawback = "clawback"
	reserve  = "reserve"
	pay      = "pay"
	comeBack = "return"
	redeem   = "redeem"
	release  = "release"
	expire   = "expire"
)

// transfer moves part of a reward between two accounts of its owner. Nothing is nothing.
func (r *recorder) transfer(w db.Reward, recipe, from, to string, amount int64, why reason.Code) {
	if amount == 0 {
		return
	}
	r.transfers = append(r.transfers, db.LedgerTransfer{
		ID: newID(), ParticipantID: w.ParticipantID, Currency: w.Currency, RewardKind: w.Kind, FromKind: from, ToKind: to,
		Amount: amount, Recipe: recipe, Reason: why, RewardID: w.ID,
	})
}

// flush queues everything, after the rows that it refers to.
func (r *recorder) flush(ctx context.Context) error {
	if err := r.flushLimits(ctx); err != nil {
		return err
	}
	if err := r.flushAccounts(ctx); err != nil {
		return err
	}
	if err := r.flushMonths(ctx); err != nil {
		return err
	}
	if err := r.flushTransfers(ctx); err != nil {
		return err
	}
	if err := r.flushCounts(ctx); err != nil {
		return err
	}
	return r.flushEvents(ctx)
}

func (r *recorder) flushEvents(ctx context.Context) error {
	if len(r.events) == 0 {
		return nil
	}
	p := db.CreateEventsParams{WorkspaceID: r.s.Workspace, CreatedAt: r.s.Now}
	for _, ev := range r.events {
		data, err := json.Marshal(ev.data)
		if err != nil {
			return err
		}
		data, note, err := takeNote(data)
		if err != nil {
			return err
		}
		var salt, digest []byte
		if note != "" {
			if salt, err = r.e.salt(); err != nil {
				return err
			}
			digest = chain.NoteDigest(salt, note)
		}
		p.Ids = append(p.Ids, newID())
		p.Types = append(p.Types, ev.kind)
		p.SubjectTypes = append(p.SubjectTypes, ev.subject)
		p.SubjectIds = append(p.SubjectIds, ev.id)
		p.Data = append(p.Data, string(data))
		p.Notes, p.NoteSalts, p.NoteDigests = append(p.Notes, note), append(p.NoteSalts, salt), append(p.NoteDigests, digest)
	}
	if err := r.e.q.CreateEvents(ctx, r.tx.Write(), p); err != nil {
		return err
	}
	return r.e.q.CreateEventBatch(ctx, r.tx.Write(), db.CreateEventBatchParams{WorkspaceID: r.s.Workspace, ID: p.Ids[0], EventIds: p.Ids})
}

// takeNote takes the words of a person out of the data of an event: they are stored beside it, where they can be erased.
func takeNote(data []byte) ([]byte, string, error) {
	if !bytes.Contains(data, []byte(`"note":`)) {
		return data, "", nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, "", err
	}
	var note string
	if raw, ok := members["note"]; ok {
		if err := json.Unmarshal(raw, &note); err != nil {
			return nil, "", err
		}
		delete(members, "note")
	}
	data, err := json.Marshal(members)
	return data, note, err
}

// salt makes the random bytes without which a digest says nothing.
func (e *Engine) salt() ([]byte, error) {
	salt := make([]byte, 32)
	_, err := io.ReadFull(e.random, salt)
	return salt, err
}

func (r *recorder) flushTransfers(ctx context.Context) error {
	if len(r.transfers) == 0 {
		return nil
	}
	p := db.CreateTransfersParams{WorkspaceID: r.s.Workspace, CreatedAt: r.s.Now}
	for _, t := range r.transfers {
		p.Ids = append(p.Ids, t.ID)
		p.ParticipantIds = append(p.ParticipantIds, t.ParticipantID)
		p.Currencies = append(p.Currencies, t.Currency)
		p.RewardKinds = append(p.RewardKinds, t.RewardKind)
		p.FromKinds = append(p.FromKinds, t.FromKind)
		p.ToKinds = append(p.ToKinds, t.ToKind)
		p.Amounts = append(p.Amounts, t.Amount)
		p.Recipes = append(p.Recipes, t.Recipe)
		p.Reasons = append(p.Reasons, string(t.Reason))
		p.RewardIds = append(p.RewardIds, t.RewardID)
	}
	return r.e.q.CreateTransfers(ctx, r.tx.Write(), p)
}

type account struct {
	participant                uuid.UUID
	currency, rewardKind, kind string
}

// flushAccounts moves the balances by the sum of the transfers, in ascending order of account, so that transactions that
// share a beneficiary wait for each other instead of dead-locking. Runs of amounts that an empty account may take are
// upserted in one statement; the others find their account or fail.
func (r *recorder) flushAccounts(ctx context.Context) error {
	deltas := map[account]int64{}
	for _, t := range r.transfers {
		deltas[account{t.ParticipantID, t.Currency, t.RewardKind, t.FromKind}] -= t.Amount
		deltas[account{t.ParticipantID, t.Currency, t.RewardKind, t.ToKind}] += t.Amount
	}
	order := make([]account, 0, len(deltas))
	for a := range deltas {
		order = append(order, a)
	}
	slices.SortFunc(order, func(a, b account) int {
		return cmp.Or(bytes.Compare(a.participant[:], b.participant[:]), cmp.Compare(a.currency, b.currency),
			cmp.Compare(a.rewardKind, b.rewardKind), cmp.Compare(a.kind, b.kind))
	})
	credits := db.CreditAccountsParams{WorkspaceID: r.s.Workspace}
	queueCredits := func() error {
		if len(credits.Amounts) == 0 {
			return nil
		}
		err := r.e.q.CreditAccounts(ctx, r.tx.Write(), credits)
		credits = db.CreditAccountsParams{WorkspaceID: r.s.Workspace}
		return err
	}
	for _, a := range order {
		d := deltas[a]
		if d == 0 || (d < 0) == (a.kind == expense) {
			credits.ParticipantIds = append(credits.ParticipantIds, a.participant)
			credits.Currencies = append(credits.Currencies, a.currency)
			credits.RewardKinds = append(credits.RewardKinds, a.rewardKind)
			credits.Kinds = append(credits.Kinds, a.kind)
			credits.Amounts = append(credits.Amounts, d)
			continue
		}
		if err := queueCredits(); err != nil {
			return err
		}
		if err := r.e.q.DebitAccount(ctx, r.tx.Guard(), db.DebitAccountParams{
			WorkspaceID: r.s.Workspace, ParticipantID: a.participant, Currency: a.currency, RewardKind: a.rewardKind,
			Kind: a.kind, Amount: d,
		}); err != nil {
			return err
		}
	}
	return queueCredits()
}
