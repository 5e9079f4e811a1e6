package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a program's days must not depend on what the machine has installed

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// MostAllowedHosts bounds the hosts of a program, that of its landing address included.
const MostAllowedHosts = 20

// NewProgram is an offer to make. With Rules its first version is published as well. ServerHost is the host under which links of
// workspaces without a host of their own are followed.
type NewProgram struct {
	Name                string
	Currency            string
	LandingURL          string
	AllowedHosts        []string
	HonorPendingSeconds int64
	TimeZone            string
	Rules               *rules.Document
	ServerHost          string
}

// CreateProgram makes a program in state draft. Its timeline begins with its activation. Errors: destination_not_allowed,
// rules_invalid, validation_failed for an unknown time zone.
func (e *Engine) CreateProgram(ctx context.Context, tx *store.Tx, s Scope, n NewProgram) (db.Program, *db.ProgramVersion, error) {
	if !zoneKnown(n.TimeZone) {
		return db.Program{}, nil, problem.ValidationFailed.With("/time_zone is not a time zone of the IANA database.").
			WithErrors([]problem.FieldError{{Pointer: "/time_zone", Message: "is not a time zone of the IANA database"}})
	}
	p := db.Program{
		WorkspaceID: s.Workspace, ID: newID(), Name: n.Name, Currency: n.Currency, State: state.ProgramDraft, LandingURL: n.LandingURL,
		AllowedHosts: orNone(n.AllowedHosts), HonorPendingSeconds: n.HonorPendingSeconds, TimeZone: n.TimeZone,
		Timeline: state.Timeline{}, Version: 1, CreatedAt: s.Now,
	}
	if err := e.checkDestinations(ctx, tx, p, n.ServerHost); err != nil {
		return db.Program{}, nil, err
	}
	r := e.record(tx, s)
	r.event("program.created", "program", p.ID, programData{State: p.State})
	err := e.q.CreateProgram(ctx, tx.Write(), db.CreateProgramParams{
		WorkspaceID: p.WorkspaceID, ID: p.ID, Name: p.Name, Currency: p.Currency, State: p.State, LandingURL: p.LandingURL,
		AllowedHosts: p.AllowedHosts, HonorPendingSeconds: p.HonorPendingSeconds, TimeZone: p.TimeZone, Timeline: p.Timeline,
		CreatedAt: p.CreatedAt,
	})
	if err != nil {
		return db.Program{}, nil, err
	}
	if n.Rules == nil {
		return p, nil, r.flush(ctx)
	}
	v, err := r.publish(ctx, &p, 1, *n.Rules)
	if err != nil {
		return db.Program{}, nil, err
	}
	return p, &v, r.flush(ctx)
}

// zoneKnown says whether a name is one of the IANA database. What a machine may have beside it, such as variants with leap seconds and
// the machine's own zone, is none, and neither is a second spelling: another machine would not find it.
func zoneKnown(name string) bool {
	loc, err := time.LoadLocation(name)
	first, _, _ := strings.Cut(name, "/")
	return err == nil && loc != time.Local && !strings.Contains(name, "//") &&
		!slices.Contains([]string{"posix", "right", "posixrules", "localtime", "Factory"}, first)
}

type programData struct {
	State            state.Program `json:"state"`
	CurrentVersionID *uuid.UUID    `json:"current_version_id,omitempty"`
	Changed          []string      `json:"changed,omitempty"`
}

// checkDestinations says why links may not lead where a program wants them to, or nil. No host on which links are followed is
// among them, of whichever workspace: two that lead to each other would send a visitor in circles.
func (e *Engine) checkDestinations(ctx context.Context, tx *store.Tx, p db.Program, serverHost string) error {
	all, err := e.q.ListAllWorkspaces(ctx, tx.DB())
	if err != nil {
		return err
	}
	loops := withPorts(nil, serverHost)
	for _, w := range all {
		if w.LinkHost != nil {
			loops = withPorts(loops, *w.LinkHost)
		}
	}
	var faults []problem.FieldError
	add := func(pointer string, err error) {
		if err != nil {
			faults = append(faults, problem.FieldError{Pointer: pointer, Message: err.Error()})
		}
	}
	add("/landing_url", landing.Check(p.LandingURL, loops...))
	for i, host := range p.AllowedHosts {
		add(fmt.Sprintf("/allowed_hosts/%d", i), landing.Check("https://"+host+"/", loops...))
	}
	if len(faults) == 0 && len(Hosts(p)) > MostAllowedHosts {
		add("/allowed_hosts", errTooManyHosts)
	}
	if len(faults) == 0 {
		return nil
	}
	return problem.DestinationNotAllowed.With(faults[0].Pointer + ": " + faults[0].Message + ".").WithErrors(faults)
}

var errTooManyHosts = errors.New("a program has at most 20 hosts, that of the landing address included")

// withPorts adds the spellings of a host with and without the ports that go without saying.
func withPorts(hosts []string, host string) []string {
	host = strings.ToLower(host)
	bare := strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	return append(hosts, host, bare, bare+":443", bare+":80")
}

// Hosts lists where links of a program may lead: the hosts that it names and that of its landing address.
func Hosts(p db.Program) []string {
	hosts := slices.Clone(p.AllowedHosts)
	if a, err := landing.Parse(p.LandingURL); err == nil && !slices.Contains(hosts, a.Host()) {
		hosts = append(hosts, a.Host())
	}
	return hosts
}

// ProgramChanges is what to set; nil leaves as it is.
type ProgramChanges struct {
	Name                *string
	LandingURL          *string
	AllowedHosts        *[]string
	HonorPendingSeconds *int64
	ServerHost          string
}

// UpdateProgram changes what is not part of the rules, when the program is still at the version that the change is based on.
// Errors: not_found, precondition_failed, state_not_allowed once archived, destination_not_allowed.
func (e *Engine) UpdateProgram(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, version int64, c ProgramChanges) (db.Program, error) {
	p, err := e.q.GetProgramForUpdate(ctx, tx.DB(), db.GetProgramForUpdateParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return p, store.OrNotFound(err, "the program")
	}
	if p.Version != version {
		return p, stale(p.Version)
	}
	if p.State == state.ProgramArchived {
		return p, problem.StateNotAllowed.With("an archived program cannot be changed")
	}
	if p.EndedAt != nil && c.HonorPendingSeconds != nil && *c.HonorPendingSeconds != p.HonorPendingSeconds {
		return p, problem.StateNotAllowed.With("the program has ended; what it promised to honour stands")
	}
	changed := c.apply(&p)
	if len(changed) == 0 {
		return p, nil
	}
	if err := e.checkDestinations(ctx, tx, p, c.ServerHost); err != nil {
		return p, err
	}
	r := e.record(tx, s)
	r.event("program.updated", "program", p.ID, programData{State: p.State, Changed: changed})
	err = e.q.UpdateProgram(ctx, tx.Guard(), db.UpdateProgramParams{
		WorkspaceID: s.Workspace, ID: p.ID, Name: p.Name, LandingURL: p.LandingURL, AllowedHosts: p.AllowedHosts,
		HonorPendingSeconds: p.HonorPendingSeconds, Version: p.Version,
	})
	if err != nil {
		return p, err
	}
	p.Version++
	return p, r.flush(ctx)
}

func (c ProgramChanges) apply(p *db.Program) []string {
	var changed []string
	set := func(name string, same bool, write func()) {
		if !same {
			changed = append(changed, name)
			write()
		}
	}
	if c.Name != nil {
		set("name", p.Name == *c.Name, func() { p.Name = *c.Name })
	}
	if c.LandingURL != nil {
		set("landing_url", p.LandingURL == *c.LandingURL, func() { p.LandingURL = *c.LandingURL })
	}
	if c.AllowedHosts != nil {
		set("allowed_hosts", slices.Equal(p.AllowedHosts, *c.AllowedHosts), func() { p.AllowedHosts = orNone(*c.AllowedHosts) })
	}
	if c.HonorPendingSeconds != nil {
		set("honor_pending_seconds", p.HonorPendingSeconds == *c.HonorPendingSeconds, func() { p.HonorPendingSeconds = *c.HonorPendingSeconds })
	}
	return changed
}

// MoveProgram brings a program to a state, from which on it is in it: facts are judged by the state at their own time. Errors:
// not_found, state_not_allowed, also for a draft without a published version.
func (e *Engine) MoveProgram(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, to state.Program) (db.Program, error) {
	p, err := e.q.GetProgramForUpdate(ctx, tx.DB(), db.GetProgramForUpdateParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return p, store.OrNotFound(err, "the program")
	}
	if !state.Programs.Allows(p.State, to) {
		return p, problem.StateNotAllowed.With("a program that is " + string(p.State) + " cannot become " + string(to))
	}
	if p.CurrentVersionID == nil {
		return p, problem.StateNotAllowed.With("the program has no published version")
	}
	from := p.State
	p.State, p.Timeline = to, append(p.Timeline, state.Period{At: s.Now, State: string(to)})
	if to == state.ProgramEnded {
		p.EndedAt = &s.Now
	}
	r := e.record(tx, s)
	r.event(programEvent(from, to), "program", p.ID, programData{State: to})
	err = e.q.MoveProgram(ctx, tx.Guard(), db.MoveProgramParams{
		WorkspaceID: s.Workspace, ID: p.ID, ToState: to, Timeline: p.Timeline, EndedAt: p.EndedAt, FromState: from, Version: p.Version,
	})
	if err != nil {
		return p, err
	}
	p.Version++
	return p, r.flush(ctx)
}

func programEvent(from, to state.Program) string {
	switch {
	case to == state.ProgramActive && from == state.ProgramPaused:
		return "program.resumed"
	case to == state.ProgramActive:
		return "program.activated"
	}
	return "program." + string(to)
}

// stale is the answer to a change that is based on an older version.
func stale(now int64) error {
	return problem.PreconditionFailed.With(fmt.Sprintf("The resource is at version %d by now. Read it again.", now))
}

// orNone is a list that the database takes: empty, never NULL.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
