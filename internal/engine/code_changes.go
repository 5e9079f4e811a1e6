package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Why a code is disabled.
const disabledForFraud = "fraud"

// CodeChanges is what to set of the limits of a code; nil lifts a limit.
type CodeChanges struct {
	MaxUses   Change[int64]
	StartsAt  Change[time.Time]
	ExpiresAt Change[time.Time]
}

func (c CodeChanges) apply(row *db.Code) []string {
	var changed []string
	if most := c.MaxUses.Value; c.MaxUses.Set && ((most == nil) != (row.MaxUses == nil) || most != nil && *most != *row.MaxUses) {
		changed, row.MaxUses = append(changed, "max_uses"), most
	}
	if at := InMicroseconds(c.StartsAt.Value); c.StartsAt.Set && !sameTime(at, row.StartsAt) {
		changed, row.StartsAt = append(changed, "starts_at"), at
	}
	if at := InMicroseconds(c.ExpiresAt.Value); c.ExpiresAt.Set && !sameTime(at, row.ExpiresAt) {
		changed, row.ExpiresAt = append(changed, "expires_at"), at
	}
	return changed
}

// UpdateCode changes how often and when a code can be used, when it is still at the version that the change is based on. Errors:
// not_found, precondition_failed, state_not_allowed once retired, validation_failed, conflict for a limit below the uses.
func (e *Engine) UpdateCode(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, version int64, c CodeChanges) (db.Code, error) {
	row, err := e.lockCode(ctx, tx, s, id)
	if err != nil {
		return row, err
	}
	if row.Version != version {
		return row, stale(row.Version)
	}
	if row.State == state.CodeRetired {
		return row, problem.StateNotAllowed.With("a retired code cannot be changed")
	}
	unlimited := row.MaxUses == nil
	changed := c.apply(&row)
	if unlimited && row.MaxUses != nil { // its uses were not counted, and no signup that takes it for unlimited is under way now
		row.Uses, err = e.q.CountUses(ctx, tx.DB(), db.CountUsesParams{WorkspaceID: s.Workspace, CodeID: row.ID})
		if err != nil {
			return row, err
		}
	}
	if err := checkSpan(row, ""); err != nil {
		return row, err
	}
	if row.MaxUses != nil && *row.MaxUses < row.Uses {
		return row, problem.Conflict.With(fmt.Sprintf("The code was used %d times.", row.Uses)).
			WithErrors([]problem.FieldError{{Pointer: "/max_uses", Message: "is below the present uses"}})
	}
	if len(changed) == 0 {
		return row, nil
	}
	r := e.record(tx, s)
	r.event("code.updated", "code", row.ID, codeData(row, changed))
	err = e.q.UpdateCode(ctx, tx.Guard(), db.UpdateCodeParams{
		WorkspaceID: s.Workspace, ID: row.ID, MaxUses: row.MaxUses, Uses: row.Uses, StartsAt: row.StartsAt, ExpiresAt: row.ExpiresAt, Version: row.Version,
	})
	if err != nil {
		return row, err
	}
	row.Version++
	return row, r.flush(ctx)
}

func (e *Engine) lockCode(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Code, error) {
	row, err := e.q.GetCodeForUpdate(ctx, tx.DB(), db.GetCodeForUpdateParams{WorkspaceID: s.Workspace, ID: id})
	return row, store.OrNotFound(err, "the code")
}

// DisableCode keeps a code from being used from now on; why decides whether earlier clicks still count. Errors: not_found,
// state_not_allowed.
func (e *Engine) DisableCode(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, why string) (db.Code, error) {
	return e.moveCode(ctx, tx, s, id, state.CodeDisabled, &why)
}

// EnableCode lets a disabled code be used again. Errors: not_found, state_not_allowed.
func (e *Engine) EnableCode(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Code, error) {
	return e.moveCode(ctx, tx, s, id, state.CodeActive, nil)
}

// RetireCode ends a code for good. Its value stays taken, and its participant may have another one. Errors: not_found,
// state_not_allowed.
func (e *Engine) RetireCode(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Code, error) {
	return e.moveCode(ctx, tx, s, id, state.CodeRetired, nil)
}

func (e *Engine) moveCode(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, to state.Code, why *string) (db.Code, error) {
	row, err := e.lockCode(ctx, tx, s, id)
	if err != nil {
		return row, err
	}
	if !state.Codes.Allows(row.State, to) {
		return row, problem.StateNotAllowed.With("a code that is " + string(row.State) + " cannot become " + string(to))
	}
	r := e.record(tx, s)
	if err := r.moveCode(ctx, &row, to, why); err != nil {
		return row, err
	}
	if to == state.CodeRetired {
		if err := e.q.ReleaseCode(ctx, tx.Guard(), releaseOf(row)); err != nil {
			return row, err
		}
	}
	return row, r.flush(ctx)
}

// moveCode writes a state of a code, and since when and why it holds.
func (r *recorder) moveCode(ctx context.Context, row *db.Code, to state.Code, why *string) error {
	from := row.State
	row.State, row.DisabledReason = to, why
	row.Timeline = append(row.Timeline, state.Period{At: r.s.Now, State: string(to), Reason: deref(why)})
	r.event(codeEvent(to), "code", row.ID, codeData(*row, nil))
	err := r.e.q.MoveCode(ctx, r.tx.Guard(), db.MoveCodeParams{
		WorkspaceID: r.s.Workspace, ID: row.ID, ToState: to, DisabledReason: why, Timeline: row.Timeline, FromState: from, Version: row.Version,
	})
	row.Version++
	return err
}

func codeEvent(to state.Code) string {
	if to == state.CodeActive {
		return "code.enabled"
	}
	return "code." + string(to)
}

// Usable says what a signup would make of a typed code now. Program is nil when there is no such code, in the one program that was
// asked for if any; the reason is then that of every unknown code.
type Usable struct {
	Usable  bool
	Reason  reason.Code
	Program *uuid.UUID
}

// LookUpCode decides about a typed code as a signup of somebody unknown would; one statement, whether the code exists or not.
func (e *Engine) LookUpCode(ctx context.Context, on store.DBTX, s Scope, value string, program *uuid.UUID) (Usable, error) {
	row, err := e.q.GetCodeInProgram(ctx, on, db.GetCodeInProgramParams{WorkspaceID: s.Workspace, FoldedValue: code.Fold(value)})
	if optional(err) != nil {
		return Usable{}, err
	}
	if err != nil || program != nil && *program != row.Program.ID {
		return Usable{Reason: reason.CodeNotFound}, nil
	}
	t := touches{code: &value, owners: []db.ListTouchedCodesRow{{Code: row.Code, Participant: row.Participant}}}
	answer := attribution.Decide(attribution.Inputs{
		Door: attribution.DoorSignup, ProgramID: row.Program.ID.String(), Program: row.Program.Timeline, OccurredAt: s.Now,
		Touches: t.all(&history{}, s.Now),
	})
	return Usable{Usable: answer.Attributed, Reason: answer.Reason, Program: &row.Program.ID}, nil
}
