package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/condition"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// history is everything that is known of one referee in one program, locked. Rows that are not stored yet have version 0.
type history struct {
	program     db.Program
	zone        *time.Location
	current     *db.ProgramVersion // nil while nothing is published
	documents   map[uuid.UUID]rules.Document
	timeline    []db.ProgramVersion // oldest first; empty unless an older version than the current one may be asked for
	conditions  *condition.Cache
	groups      map[uuid.UUID]state.Groups // of the referrers; nil when no rule tells groups apart
	referee     db.Participant
	isNew       bool            // the referee was made by this transaction
	erased      bool            // an erased person who must not be referred again
	reach       *db.GetReachRow // nil while nobody asked
	newTree     bool            // who was above each sale is looked up again
	referrals   []db.Referral
	conversions []db.Conversion
	reversals   []db.Reversal
	churns      []db.Churn
	rewards     []db.Reward
	waiting     []db.UnmatchedFact
	priced      map[uuid.UUID]bool // conversions whose rate came with this transaction
}

// referee says who a fact is about, and what it newly tells of that person.
type referee struct {
	ExternalID    string
	Email         *string
	DisplayName   *string
	CustomerSince *time.Time
}

// load is one statement of a round trip.
type load = func(db store.DBTX) error

// lookUp turns a missing row into the problem that fits a reference in a request body.
func lookUp(err error, pointer, what string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.UnknownReference.With(what + " does not exist in this workspace").
			WithErrors([]problem.FieldError{{Pointer: pointer, Message: "unknown reference"}})
	}
	return err
}

// optional keeps a missing row as it is: the zero value.
func optional(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// loadProgram reads the program with its current rules.
func (e *Engine) loadProgram(ctx context.Context, s Scope, id uuid.UUID, h *history) load {
	return func(tx store.DBTX) error {
		row, err := e.q.GetProgramWithRules(ctx, tx, db.GetProgramWithRulesParams{WorkspaceID: s.Workspace, ID: id})
		if errors.Is(err, pgx.ErrNoRows) {
			p, err := e.q.GetProgram(ctx, tx, db.GetProgramParams{WorkspaceID: s.Workspace, ID: id})
			h.program, h.zone = p, zone(p.TimeZone)
			return lookUp(err, "/program_id", "the program")
		}
		if err != nil {
			return err
		}
		h.program, h.current, h.zone = row.Program, &row.ProgramVersion, zone(row.Program.TimeZone)
		return nil
	}
}

// lockReferee makes the referee known and locks it against every other decision about it.
func (e *Engine) lockReferee(ctx context.Context, s Scope, who referee, h *history) []load {
	id := newID()
	return []load{
		func(tx store.DBTX) error {
			return e.q.EnsureParticipant(ctx, tx, db.EnsureParticipantParams{
				WorkspaceID: s.Workspace, ID: id, ExternalID: who.ExternalID, DisplayName: who.DisplayName,
				EmailHash: s.emailHash(who.Email), CustomerSince: who.CustomerSince, CreatedAt: s.Now,
			})
		},
		func(tx store.DBTX) (err error) {
			row, err := e.q.GetReferee(ctx, tx, db.GetRefereeParams{
				WorkspaceID: s.Workspace, ExternalID: who.ExternalID, Hashes: s.tombstones(who.ExternalID, s.emailHash(who.Email)),
			})
			h.referee, h.erased, h.isNew = row.Participant, row.Erased, row.Participant.ID == id
			return err
		},
	}
}

// loadReferrals reads and locks the referee's referrals in the program.
func (e *Engine) loadReferrals(ctx context.Context, s Scope, program uuid.UUID, externalID string, h *history) load {
	return func(tx store.DBTX) (err error) {
		h.referrals, err = e.q.ListRefereeReferralsForUpdate(ctx, tx, db.ListRefereeReferralsForUpdateParams{
			WorkspaceID: s.Workspace, ProgramID: program, RefereeExternalID: externalID,
		})
		return err
	}
}

// loadFacts reads what happened to the referee in the program, and locks what may change.
func (e *Engine) loadFacts(ctx context.Context, s Scope, program uuid.UUID, externalID string, h *history) []load {
	return []load{
		func(tx store.DBTX) (err error) {
			h.conversions, err = e.q.ListRefereeConversionsForUpdate(ctx, tx, db.ListRefereeConversionsForUpdateParams{
				WorkspaceID: s.Workspace, ProgramID: program, RefereeExternalID: externalID,
			})
			return err
		},
		func(tx store.DBTX) (err error) {
			h.reversals, err = e.q.ListRefereeReversals(ctx, tx, db.ListRefereeReversalsParams{
				WorkspaceID: s.Workspace, ProgramID: program, RefereeExternalID: externalID,
			})
			return err
		},
		func(tx store.DBTX) (err error) {
			h.churns, err = e.q.ListRefereeChurns(ctx, tx, db.ListRefereeChurnsParams{
				WorkspaceID: s.Workspace, ProgramID: program, RefereeExternalID: externalID,
			})
			return err
		},
		func(tx store.DBTX) (err error) {
			h.rewards, err = e.q.ListRefereeRewardsForUpdate(ctx, tx, db.ListRefereeRewardsForUpdateParams{
				WorkspaceID: s.Workspace, ProgramID: program, RefereeExternalID: externalID,
			})
			return err
		},
		func(tx store.DBTX) (err error) {
			h.waiting, err = e.q.ListWaitingFacts(ctx, tx, db.ListWaitingFactsParams{
				WorkspaceID: s.Workspace, WaitsFor: []string{waitsForReferral(program, externalID)},
			})
			return err
		},
	}
}

// loadHistory locks a referee and reads everything about it in one round trip, after what comes first.
func (e *Engine) loadHistory(ctx context.Context, tx *store.Tx, s Scope, program uuid.UUID, who referee, first ...load) (*history, error) {
	h := &history{}
	loads := append(first, e.lockReferee(ctx, s, who, h)...)
	loads = append(loads, e.loadProgram(ctx, s, program, h), e.loadReferrals(ctx, s, program, who.ExternalID, h))
	loads = append(loads, e.loadFacts(ctx, s, program, who.ExternalID, h)...)
	if err := tx.Load(ctx, loads...); err != nil {
		return nil, err
	}
	return h, e.loadDocuments(ctx, tx, s, h)
}

// loadDocuments finds the rules that the referrals are pinned to.
func (e *Engine) loadDocuments(ctx context.Context, tx *store.Tx, s Scope, h *history) error {
	h.documents, h.conditions = map[uuid.UUID]rules.Document{}, &e.conditions
	versions := []db.ProgramVersion{}
	if h.current != nil {
		versions = append(versions, *h.current)
	}
	for _, r := range h.referrals {
		if h.current != nil && r.ProgramVersionID == h.current.ID {
			continue
		}
		e.mu.RLock()
		d, ok := e.documents[r.ProgramVersionID]
		e.mu.RUnlock()
		if ok {
			h.documents[r.ProgramVersionID] = d
			continue
		}
		v, err := e.q.GetProgramVersion(ctx, tx.DB(), db.GetProgramVersionParams{WorkspaceID: s.Workspace, ID: r.ProgramVersionID})
		if err != nil {
			return err
		}
		versions = append(versions, v)
	}
	for _, v := range versions {
		d, err := e.document(v)
		if err != nil {
			return err
		}
		h.documents[v.ID] = d
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(h.documents)), func(d rules.Document) bool { return d.VersionPin == rules.PinConversion }) {
		return e.loadTimeline(ctx, tx, s, h)
	}
	return nil
}

// loadTimeline reads all versions of the program.
func (e *Engine) loadTimeline(ctx context.Context, tx *store.Tx, s Scope, h *history) (err error) {
	h.timeline, err = e.q.ListVersionTimeline(ctx, tx.DB(), db.ListVersionTimelineParams{WorkspaceID: s.Workspace, ProgramID: h.program.ID})
	for _, v := range h.timeline {
		d, err := e.document(v)
		if err != nil {
			return err
		}
		h.documents[v.ID] = d
	}
	return err
}

// versionAt is the version by which a conversion of a referral earns: the one that the referral is pinned to, unless its rules follow
// the conversion.
func (h *history) versionAt(ref *db.Referral, at time.Time) uuid.UUID {
	if len(h.timeline) == 0 || h.documents[ref.ProgramVersionID].VersionPin != rules.PinConversion {
		return ref.ProgramVersionID
	}
	return h.currentAt(at).ID
}

// currentAt is the version that was current at a time. What occurred before anything was published has the first.
func (h *history) currentAt(at time.Time) *db.ProgramVersion {
	current := &h.timeline[0]
	for i, v := range h.timeline {
		if !v.PublishedAt.After(at) {
			current = &h.timeline[i]
		}
	}
	return current
}

// live returns the referee's live referral, or nil.
func (h *history) live() *db.Referral {
	for i := range h.referrals {
		if isLive(h.referrals[i].State) {
			return &h.referrals[i]
		}
	}
	return nil
}

// honoredUntil is the end of the honour period of an ended program; nil while it runs.
func (h *history) honoredUntil() *time.Time {
	if h.program.EndedAt == nil {
		return nil
	}
	t := h.program.EndedAt.Add(time.Duration(h.program.HonorPendingSeconds) * time.Second)
	return &t
}

// The names under which facts wait for their partner.
func waitsForReferral(program uuid.UUID, refereeExternalID string) string {
	return "referral:" + program.String() + ":" + refereeExternalID
}

func waitsForConversion(source, externalID, kind string) string {
	return "conversion:" + source + ":" + kind + ":" + externalID
}

func waitsForClick(id uuid.UUID) string { return "click:" + id.String() }

func waitsForRate(from, to string) string { return "rate:" + from + ":" + to }
