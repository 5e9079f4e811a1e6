package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Change is what a request says of a field that can be cleared: nothing when it is not Set, else the value, where nil clears.
type Change[T any] struct {
	Set   bool
	Value *T
}

// ParticipantChanges is what to set of a participant. Metadata is replaced as a whole; nil leaves it as it is.
type ParticipantChanges struct {
	Email         Change[string]
	DisplayName   Change[string]
	CustomerSince Change[time.Time]
	Group         Change[string] // never rules.DefaultGroup, which is nil
	TaxData       *bool          // whether the integrator holds it; nil leaves it as it is
	Metadata      json.RawMessage
}

// apply sets what differs and names it.
func (c ParticipantChanges) apply(s Scope, p *db.Participant) []string {
	var changed []string
	if hash := s.emailHash(c.Email.Value); c.Email.Set && !bytes.Equal(hash, p.EmailHash) {
		changed, p.EmailHash = append(changed, "email"), hash
	}
	if name := c.DisplayName.Value; c.DisplayName.Set && ((name == nil) != (p.DisplayName == nil) || deref(name) != deref(p.DisplayName)) {
		changed, p.DisplayName = append(changed, "display_name"), name
	}
	if since := InMicroseconds(c.CustomerSince.Value); c.CustomerSince.Set && !sameTime(since, p.CustomerSince) {
		changed, p.CustomerSince = append(changed, "customer_since"), since
	}
	if group := c.Group.Value; c.Group.Set && deref(group) != deref(p.GroupName) {
		changed, p.GroupName, p.GroupTimeline = append(changed, "group"), group, p.GroupTimeline.With(p.CreatedAt, s.Now, deref(group))
	}
	if on := c.TaxData; on != nil && *on != (p.TaxDataRecordedAt != nil) {
		changed, p.TaxDataRecordedAt = append(changed, "tax_data"), nil
		if *on {
			p.TaxDataRecordedAt = &s.Now
		}
	}
	if c.Metadata != nil && !sameMetadata(c.Metadata, p.Metadata) {
		changed, p.Metadata = append(changed, "metadata"), c.Metadata
	}
	return changed
}

// InMicroseconds is a time as the database keeps it.
func InMicroseconds(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC().Truncate(time.Microsecond)
	return &u
}

func sameTime(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}

// sameMetadata compares by content: the database changes spaces and order.
func sameMetadata(a, b json.RawMessage) bool {
	var x, y map[string]string
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && maps.Equal(x, y)
}

// CreateParticipant makes a participant. Errors: participant_exists.
func (e *Engine) CreateParticipant(ctx context.Context, tx *store.Tx, s Scope, externalID string, c ParticipantChanges) (db.Participant, error) {
	p := newParticipant(s, externalID, c)
	created := false
	if err := tx.Load(ctx, e.insertParticipant(ctx, p, &created)); err != nil {
		return p, err
	}
	if !created {
		return p, problem.ParticipantExists.With("external_id names a participant already").
			WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
	}
	r := e.record(tx, s)
	r.participantCreated(p)
	return p, r.flush(ctx)
}

func newParticipant(s Scope, externalID string, c ParticipantChanges) db.Participant {
	p := db.Participant{
		WorkspaceID: s.Workspace, ID: newID(), ExternalID: externalID, State: state.ParticipantActive, Metadata: json.RawMessage("{}"),
		GroupTimeline: state.Groups{}, Version: 1, CreatedAt: s.Now,
	}
	c.apply(s, &p)
	return p
}

func (e *Engine) insertParticipant(ctx context.Context, p db.Participant, created *bool) load {
	return func(tx store.DBTX) error {
		n, err := e.q.CreateParticipant(ctx, tx, db.CreateParticipantParams{
			WorkspaceID: p.WorkspaceID, ID: p.ID, ExternalID: p.ExternalID, DisplayName: p.DisplayName, EmailHash: p.EmailHash,
			CustomerSince: p.CustomerSince, GroupName: p.GroupName, GroupTimeline: p.GroupTimeline, TaxDataRecordedAt: p.TaxDataRecordedAt,
			Metadata: p.Metadata, CreatedAt: p.CreatedAt,
		})
		*created = n == 1
		return err
	}
}

func (r *recorder) participantCreated(p db.Participant) {
	r.event("participant.created", "participant", p.ID, participantData{State: state.ParticipantActive, Group: deref(p.GroupName)})
}

type participantData struct {
	State   state.Participant `json:"state"`
	Changed []string          `json:"changed,omitempty"`
	Group   string            `json:"group,omitempty"` // after it changed, the default group when it was cleared
	Note    string            `json:"note,omitempty"`
}

// UpsertParticipant makes the participant of an external id, or sets what differs. Created says which.
func (e *Engine) UpsertParticipant(
	ctx context.Context, tx *store.Tx, s Scope, externalID string, c ParticipantChanges,
) (p db.Participant, created bool, err error) {
	err = tx.Load(ctx, e.insertParticipant(ctx, newParticipant(s, externalID, c), &created), func(tx store.DBTX) (err error) {
		p, err = e.q.GetParticipantByExternalIDForUpdate(ctx, tx, db.GetParticipantByExternalIDForUpdateParams{
			WorkspaceID: s.Workspace, ExternalID: externalID,
		})
		return err
	})
	if err != nil {
		return p, false, err
	}
	r := e.record(tx, s)
	if created {
		r.participantCreated(p)
		return p, true, r.flush(ctx)
	}
	if err := r.changeParticipant(ctx, &p, c); err != nil {
		return p, false, err
	}
	return p, false, r.flush(ctx)
}

// UpdateParticipant sets what the changes name, when the participant is still at the version that they are based on. Errors:
// not_found, precondition_failed.
func (e *Engine) UpdateParticipant(
	ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, version int64, c ParticipantChanges,
) (db.Participant, error) {
	p, err := e.lockParticipant(ctx, tx, s, id)
	if err != nil {
		return p, err
	}
	if p.Version != version {
		return p, stale(p.Version)
	}
	r := e.record(tx, s)
	if err := r.changeParticipant(ctx, &p, c); err != nil {
		return p, err
	}
	return p, r.flush(ctx)
}

func (e *Engine) lockParticipant(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Participant, error) {
	p, err := e.q.GetParticipantForUpdate(ctx, tx.DB(), db.GetParticipantForUpdateParams{WorkspaceID: s.Workspace, ID: id})
	return p, store.OrNotFound(err, "the participant")
}

// changeParticipant writes what differs; nothing when nothing does.
func (r *recorder) changeParticipant(ctx context.Context, p *db.Participant, c ParticipantChanges) error {
	if p.State == state.ParticipantErased {
		return problem.StateNotAllowed.With("an erased participant has no identity to change")
	}
	changed := c.apply(r.s, p)
	if len(changed) == 0 {
		return nil
	}
	data := participantData{State: p.State, Changed: changed}
	if slices.Contains(changed, "group") {
		data.Group = cmp.Or(deref(p.GroupName), rules.DefaultGroup)
	}
	r.event("participant.updated", "participant", p.ID, data)
	err := r.e.q.UpdateParticipant(ctx, r.tx.Guard(), db.UpdateParticipantParams{
		WorkspaceID: r.s.Workspace, ID: p.ID, DisplayName: p.DisplayName, EmailHash: p.EmailHash, CustomerSince: p.CustomerSince,
		TaxDataRecordedAt: p.TaxDataRecordedAt, Metadata: p.Metadata, GroupName: p.GroupName, GroupTimeline: p.GroupTimeline,
		Version: p.Version,
	})
	p.Version++
	return err
}

// SuspendParticipant keeps a participant from becoming a referrer until it is reinstated. Errors: not_found, state_not_allowed.
func (e *Engine) SuspendParticipant(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Participant, error) {
	return e.moveParticipant(ctx, tx, s, id, state.ParticipantSuspended, "participant.suspended", note)
}

// ReinstateParticipant makes a participant active again. What a ban took is not given back. Errors: not_found,
// state_not_allowed.
func (e *Engine) ReinstateParticipant(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Participant, error) {
	return e.moveParticipant(ctx, tx, s, id, state.ParticipantActive, "participant.reinstated", note)
}

func (e *Engine) moveParticipant(
	ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, to state.Participant, event, note string,
) (db.Participant, error) {
	p, err := e.lockParticipant(ctx, tx, s, id)
	if err != nil {
		return p, err
	}
	r := e.record(tx, s)
	if err := r.moveParticipant(ctx, &p, to, event, note); err != nil {
		return p, err
	}
	return p, r.flush(ctx)
}

func (r *recorder) moveParticipant(ctx context.Context, p *db.Participant, to state.Participant, event, note string) error {
	if !state.Participants.Allows(p.State, to) {
		return problem.StateNotAllowed.With("a participant that is " + string(p.State) + " cannot become " + string(to))
	}
	from := p.State
	p.State = to
	r.event(event, "participant", p.ID, participantData{State: to, Note: note})
	err := r.e.q.MoveParticipant(ctx, r.tx.Guard(), db.MoveParticipantParams{
		WorkspaceID: r.s.Workspace, ID: p.ID, ToState: to, FromState: from, Version: p.Version,
	})
	p.Version++
	return err
}
