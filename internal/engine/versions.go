package engine

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// PublishVersion publishes rules as the next version of a program; referrals attributed from now on are pinned to it. Errors:
// not_found, state_not_allowed once ended, rules_invalid.
func (e *Engine) PublishVersion(ctx context.Context, tx *store.Tx, s Scope, program uuid.UUID, d rules.Document) (db.ProgramVersion, error) {
	var p db.Program
	var last int32
	err := tx.Load(ctx,
		func(tx store.DBTX) (err error) {
			p, err = e.q.GetProgramForUpdate(ctx, tx, db.GetProgramForUpdateParams{WorkspaceID: s.Workspace, ID: program})
			return store.OrNotFound(err, "the program")
		},
		func(tx store.DBTX) (err error) { // sees what was published while the program's lock was waited for
			last, err = e.q.GetLastVersionNumber(ctx, tx, db.GetLastVersionNumberParams{WorkspaceID: s.Workspace, ProgramID: program})
			return err
		})
	if err != nil {
		return db.ProgramVersion{}, err
	}
	if p.State == state.ProgramEnded || p.State == state.ProgramArchived {
		return db.ProgramVersion{}, problem.StateNotAllowed.With("a program that is " + string(p.State) + " gets no new rules")
	}
	r := e.record(tx, s)
	v, err := r.publish(ctx, &p, last+1, d)
	if err != nil {
		return v, err
	}
	return v, r.flush(ctx)
}

// publish stores rules and makes them the current ones.
func (r *recorder) publish(ctx context.Context, p *db.Program, number int32, d rules.Document) (db.ProgramVersion, error) {
	if err := checkRules(d); err != nil {
		return db.ProgramVersion{}, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return db.ProgramVersion{}, err
	}
	v := db.ProgramVersion{
		WorkspaceID: r.s.Workspace, ID: newID(), ProgramID: p.ID, Number: number, Rules: text, PublishedAt: r.s.Now,
	}
	r.event("program_version.published", "program_version", v.ID, struct {
		ProgramID uuid.UUID `json:"program_id"`
		Number    int32     `json:"number"`
	}{v.ProgramID, v.Number})
	if err := r.e.q.CreateProgramVersion(ctx, r.tx.Write(), db.CreateProgramVersionParams(v)); err != nil {
		return v, err
	}
	err = r.e.q.SetCurrentVersion(ctx, r.tx.Guard(), db.SetCurrentVersionParams{
		WorkspaceID: r.s.Workspace, ID: p.ID, CurrentVersionID: v.ID, Version: p.Version,
	})
	p.CurrentVersionID, p.Version = &v.ID, p.Version+1
	return v, err
}

// RulesFaults lists what is wrong with rules, with pointers into a body that holds them as "rules".
func RulesFaults(d rules.Document) []problem.FieldError {
	faults := []problem.FieldError{}
	for _, f := range d.Validate() {
		if len(faults) < problem.MostFaults {
			faults = append(faults, problem.FieldError{Pointer: "/rules" + f.Pointer, Message: f.Message})
		}
	}
	return faults
}

func checkRules(d rules.Document) error {
	faults := RulesFaults(d)
	if len(faults) == 0 {
		return nil
	}
	return problem.RulesInvalid.With(faults[0].Pointer + ": " + faults[0].Message + ".").WithErrors(faults)
}
