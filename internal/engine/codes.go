package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewCode is a code to make. Without a Value one is generated.
type NewCode struct {
	ParticipantExternalID string
	Value                 *string
	MaxUses               *int64
	StartsAt              *time.Time
	ExpiresAt             *time.Time
}

// CreateCode makes a code of a participant, who is made known when it is new. Errors: unknown_reference, validation_failed for a
// value or a span that cannot be, state_not_allowed when the program is over or the participant is not active, code_limit,
// code_taken.
func (e *Engine) CreateCode(ctx context.Context, tx *store.Tx, s Scope, program uuid.UUID, n NewCode) (db.Code, error) {
	r, h, err := e.recordCodes(ctx, tx, s, program)
	if err != nil {
		return db.Code{}, err
	}
	c, err := r.newCode(h, n, "")
	if err != nil {
		return c, err
	}
	owners, err := r.owners(ctx, []string{n.ParticipantExternalID})
	if err != nil {
		return c, err
	}
	if c, err = r.insertCode(ctx, h, c, owners[n.ParticipantExternalID]); err != nil {
		return c, err
	}
	return c, r.flush(ctx)
}

// Made is one code of many: the code, or the problem that stood against it.
type Made struct {
	Code    db.Code
	Problem *problem.Error
}

// CreateCodes makes codes in one transaction; one that cannot be made does not keep the others from being made, and leaves no trace
// but a participant that was not known. Owners are locked and values taken in one order everywhere, so that two batches do not
// wait for each other: where a limit is met inside a batch, that order decides.
func (e *Engine) CreateCodes(ctx context.Context, tx *store.Tx, s Scope, program uuid.UUID, all []NewCode) ([]Made, error) {
	r, h, err := e.recordCodes(ctx, tx, s, program)
	if err != nil {
		return nil, err
	}
	out := make([]Made, len(all))
	var order []int
	var names []string
	for i, n := range all {
		if out[i].Code, err = r.newCode(h, n, fmt.Sprintf("/items/%d", i)); err == nil {
			order, names = append(order, i), append(names, n.ParticipantExternalID)
		} else if out[i].Problem, err = asRefusal(err); err != nil {
			return nil, err
		}
	}
	owners, err := r.owners(ctx, names)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(order, func(i, j int) int { return compareValues(out[i].Code, out[j].Code) })
	for _, i := range order {
		c, err := r.insertCode(ctx, h, out[i].Code, owners[all[i].ParticipantExternalID])
		out[i].Code = c
		if out[i].Problem, err = asRefusal(err); err != nil {
			return nil, err
		}
	}
	return out, r.flush(ctx)
}

// compareValues puts values that were asked for in order, before those that are yet to be generated.
func compareValues(a, b db.Code) int {
	if a.FoldedValue == "" || b.FoldedValue == "" {
		return -cmp.Compare(len(a.FoldedValue), len(b.FoldedValue))
	}
	return cmp.Compare(a.FoldedValue, b.FoldedValue)
}

// asRefusal tells the refusal of one item from what ends the whole batch.
func asRefusal(err error) (*problem.Error, error) {
	if p, ok := errors.AsType[*problem.Error](err); ok && p.Status < 500 {
		return p, nil
	}
	return nil, err
}

func (e *Engine) recordCodes(ctx context.Context, tx *store.Tx, s Scope, program uuid.UUID) (*recorder, *history, error) {
	h := &history{}
	if err := tx.Load(ctx, e.loadProgram(ctx, s, program, h)); err != nil {
		return nil, nil, err
	}
	if h.program.State == state.ProgramEnded || h.program.State == state.ProgramArchived {
		return nil, nil, problem.StateNotAllowed.With("a program that is " + string(h.program.State) + " gets no new codes")
	}
	return e.record(tx, s), h, nil
}

// newCode is the row to make; at is the place of its fields in the request.
func (r *recorder) newCode(h *history, n NewCode, at string) (db.Code, error) {
	c := db.Code{
		WorkspaceID: r.s.Workspace, ProgramID: h.program.ID, State: state.CodeActive, MaxUses: n.MaxUses,
		StartsAt: InMicroseconds(n.StartsAt), ExpiresAt: InMicroseconds(n.ExpiresAt),
		Timeline: state.Timeline{{At: r.s.Now, State: string(state.CodeActive)}}, Version: 1, CreatedAt: r.s.Now,
	}
	if n.Value != nil {
		c.Value = strings.TrimSpace(*n.Value)
		c.FoldedValue = code.Fold(c.Value)
		if err := code.Check(c.Value); err != nil {
			return c, problem.ValidationFailed.With(at + "/value: " + err.Error() + ".").
				WithErrors([]problem.FieldError{{Pointer: at + "/value", Message: err.Error()}})
		}
	}
	return c, checkSpan(c, at)
}

// checkSpan refuses a code that could never be used.
func checkSpan(c db.Code, at string) error {
	if c.StartsAt == nil || c.ExpiresAt == nil || c.StartsAt.Before(*c.ExpiresAt) {
		return nil
	}
	return problem.ValidationFailed.With(at + "/expires_at: must be later than starts_at.").
		WithErrors([]problem.FieldError{{Pointer: at + "/expires_at", Message: "must be later than starts_at"}})
}

// owners makes participants known and locks them, so that their states stay what they are and their codes are made one after the
// other.
func (r *recorder) owners(ctx context.Context, names []string) (map[string]db.Participant, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	rows, created := make([]db.Participant, len(names)), make([]bool, len(names))
	var loads []load
	for i, name := range names {
		fresh := newParticipant(r.s, name, ParticipantChanges{})
		loads = append(loads, r.e.insertParticipant(ctx, fresh, &created[i]), func(tx store.DBTX) (err error) {
			rows[i], err = r.e.q.GetParticipantByExternalIDForUpdate(ctx, tx, db.GetParticipantByExternalIDForUpdateParams{
				WorkspaceID: r.s.Workspace, ExternalID: name,
			})
			return err
		})
	}
	if err := r.tx.Load(ctx, loads...); err != nil {
		return nil, err
	}
	out := map[string]db.Participant{}
	for i, p := range rows {
		out[p.ExternalID] = p
		if created[i] {
			r.participantCreated(p)
		}
	}
	return out, nil
}

// insertCode takes one code from the participant's limit and stores the code under a value that is free.
func (r *recorder) insertCode(ctx context.Context, h *history, c db.Code, owner db.Participant) (db.Code, error) {
	if owner.State != state.ParticipantActive {
		return c, problem.StateNotAllowed.With("a participant that is " + string(owner.State) + " gets no new codes")
	}
	c.ParticipantID = owner.ID
	limit, err := r.e.codesLimit(h)
	if err != nil {
		return c, err
	}
	_, err = r.e.q.CountCode(ctx, r.tx.DB(), db.CountCodeParams{
		WorkspaceID: c.WorkspaceID, ProgramID: c.ProgramID, ParticipantID: c.ParticipantID, CodesLimit: limit,
	})
	if errors.Is(err, store.ErrNoRows) {
		return c, problem.CodeLimit.With(fmt.Sprintf("The program allows %d codes that are not retired.", limit))
	}
	if err != nil {
		return c, err
	}
	c, err = r.takeValue(ctx, c)
	if errors.Is(err, problem.CodeTaken) {
		return c, errors.Join(err, r.e.q.ReleaseCode(ctx, r.tx.DB(), releaseOf(c)))
	}
	if err != nil {
		return c, err
	}
	r.event("code.created", "code", c.ID, codeData(c, nil))
	return c, nil
}

// codesLimit is how many codes one participant may have: what the current rules say, or their default before there are any.
func (e *Engine) codesLimit(h *history) (int32, error) {
	if h.current == nil {
		return rules.DefaultCodesPerParticipant, nil
	}
	d, err := e.document(*h.current)
	return int32(d.CodesPerParticipant), err
}

// mostDraws bounds how often a value is generated anew because it is taken; with 52 bits the second is rare.
const mostDraws = 10

// takeValue stores the code under its value, or under one that is generated.
func (r *recorder) takeValue(ctx context.Context, c db.Code) (db.Code, error) {
	generate := c.Value == ""
	if !generate { // an old link of an erased person must not lead to somebody else
		taken, err := r.e.q.HasCode(ctx, r.tx.DB(), db.HasCodeParams{WorkspaceID: c.WorkspaceID, FoldedValue: code.Erased(r.s.HashKey, c.FoldedValue)})
		if err != nil || taken {
			return c, cmp.Or(err, error(problem.CodeTaken.With(c.FoldedValue+" is taken; case, spaces and hyphens do not count.")))
		}
	}
	for range mostDraws {
		if generate {
			value, err := code.Generate(r.e.random.Read)
			if err != nil {
				return c, err
			}
			c.Value, c.FoldedValue = value, code.Fold(value)
		}
		row, err := r.e.q.CreateCode(ctx, r.tx.DB(), db.CreateCodeParams{
			WorkspaceID: c.WorkspaceID, ID: newID(), ProgramID: c.ProgramID, ParticipantID: c.ParticipantID, Value: c.Value,
			FoldedValue: c.FoldedValue, MaxUses: c.MaxUses, StartsAt: c.StartsAt, ExpiresAt: c.ExpiresAt, Timeline: c.Timeline,
			CreatedAt: c.CreatedAt,
		})
		if !errors.Is(err, store.ErrNoRows) {
			return row, err
		}
		if !generate {
			return c, problem.CodeTaken.With(c.FoldedValue + " is taken; case, spaces and hyphens do not count.")
		}
	}
	return c, problem.Unavailable.Wrap(errors.New("no free code was generated"))
}

func releaseOf(c db.Code) db.ReleaseCodeParams {
	return db.ReleaseCodeParams{WorkspaceID: c.WorkspaceID, ProgramID: c.ProgramID, ParticipantID: c.ParticipantID}
}

// EffectiveState is what a code is at a time, its limits considered: see code.Effective.
func EffectiveState(c db.Code, at time.Time) string {
	return code.Effective(c.State, code.Limits{StartsAt: c.StartsAt, ExpiresAt: c.ExpiresAt, MaxUses: c.MaxUses, Uses: c.Uses}, at)
}

// codeData leaves the value out: people are named in it.
func codeData(c db.Code, changed []string) any {
	return struct {
		ProgramID     uuid.UUID  `json:"program_id"`
		ParticipantID uuid.UUID  `json:"participant_id"`
		State         state.Code `json:"state"`
		Reason        *string    `json:"reason,omitempty"`
		Changed       []string   `json:"changed,omitempty"`
	}{c.ProgramID, c.ParticipantID, c.State, c.DisabledReason, changed}
}
