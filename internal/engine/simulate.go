package engine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// mostSimulated bounds the rows of each kind that one simulation reads.
const mostSimulated = 100_000

// Simulation compares what a program owes with what it would owe by other rules.
type Simulation struct {
	Referrals   int
	Totals      []Difference // one a kind, without a participant
	Differences []Difference // participants for whom something changes, by id and kind
	Hash        string       // of all of it: the same history and rules give the same
}

// Difference is what a participant, or everybody, is owed by the rules on record and by those simulated. Minor units.
type Difference struct {
	ParticipantID uuid.UUID `json:"participant_id"`
	Kind          string    `json:"kind"`
	Currency      string    `json:"currency"`
	Old           int64     `json:"old"`
	New           int64     `json:"new"`
}

// Change is how much changes, either way, in minor units: 500 from 2,000 to 1,500.
func (d Difference) Change() int64 { return max(d.New-d.Old, d.Old-d.New) }

// Simulate replays the recorded history of a program under other rules, and writes nothing. Who was attributed to whom stays, and what
// a person decided; everything else follows the rules, in the order in which it occurred. What is on record in another order (a cap used
// up by who was told first) may differ for that reason alone. Errors: not_found, validation_failed with the
// faults of the rules, and with the history when that is too long.
func (e *Engine) Simulate(ctx context.Context, st *store.Store, s Scope, program uuid.UUID, doc rules.Document) (Simulation, error) {
	if err := checkRules(doc); err != nil {
		return Simulation{}, err
	}
	var p past
	err := preview(ctx, st, s, func(ctx context.Context, tx *store.Tx) error {
		p = past{}
		return tx.Load(ctx, e.loadPast(ctx, s, program, &p)...)
	})
	if err != nil {
		return Simulation{}, store.OrNotFound(err, "the program")
	}
	if len(p.referrals) > mostSimulated || len(p.conversions) > mostSimulated || len(p.reversals) > mostSimulated {
		return Simulation{}, problem.ValidationFailed.With("the history of the program is too long for one simulation")
	}
	facts := p.facts(e, s, doc)
	if tooLong(facts) {
		return Simulation{}, problem.ValidationFailed.With("too much happened to one referral of the program for a simulation")
	}
	return p.compare(settlement.Simulate(doc, facts, p.decided(doc))), nil
}

// mostSettled bounds how often a simulation looks at a fact: whenever something occurs, at everything that had occurred to the referral.
const mostSettled = 5_000_000

func tooLong(facts []settlement.Facts) bool {
	sum := 0
	for _, f := range facts {
		n := len(f.Conversions) + len(f.Churns)
		for _, c := range f.Conversions {
			n += len(c.Reversals)
		}
		sum += n * n
	}
	return sum > mostSettled
}

// past is everything that happened in a program.
type past struct {
	program     db.Program
	referrals   []db.Referral
	conversions []db.Conversion
	reversals   []db.Reversal
	churns      []db.Churn
	owed        []db.ListProgramHoldingsRow
	ineligible  []db.ListIneligibleParticipantsRow
	decisions   []db.ListProgramDecisionsRow
	groups      map[uuid.UUID]state.Groups
}

func (e *Engine) loadPast(ctx context.Context, s Scope, program uuid.UUID, p *past) []load {
	return []load{
		func(tx store.DBTX) (err error) {
			p.program, err = e.q.GetProgram(ctx, tx, db.GetProgramParams{WorkspaceID: s.Workspace, ID: program})
			return err
		},
		func(tx store.DBTX) (err error) {
			p.referrals, err = e.q.ListProgramReferrals(ctx, tx, db.ListProgramReferralsParams{WorkspaceID: s.Workspace, ProgramID: program, RowLimit: mostSimulated + 1})
			return err
		},
		func(tx store.DBTX) (err error) {
			p.conversions, err = e.q.ListProgramConversions(ctx, tx, db.ListProgramConversionsParams{WorkspaceID: s.Workspace, ProgramID: program, RowLimit: mostSimulated + 1})
			return err
		},
		func(tx store.DBTX) (err error) {
			p.reversals, err = e.q.ListProgramReversals(ctx, tx, db.ListProgramReversalsParams{WorkspaceID: s.Workspace, ProgramID: program, RowLimit: mostSimulated + 1})
			return err
		},
		func(tx store.DBTX) (err error) {
			p.churns, err = e.q.ListProgramChurns(ctx, tx, db.ListProgramChurnsParams{WorkspaceID: s.Workspace, ProgramID: program, RowLimit: mostSimulated + 1})
			return err
		},
		func(tx store.DBTX) (err error) {
			p.owed, err = e.q.ListProgramHoldings(ctx, tx, db.ListProgramHoldingsParams{WorkspaceID: s.Workspace, ProgramID: program})
			return err
		},
		func(tx store.DBTX) (err error) {
			p.ineligible, err = e.q.ListIneligibleParticipants(ctx, tx, s.Workspace)
			return err
		},
		func(tx store.DBTX) (err error) {
			p.decisions, err = e.q.ListProgramDecisions(ctx, tx, db.ListProgramDecisionsParams{WorkspaceID: s.Workspace, ProgramID: program})
			return err
		},
		func(tx store.DBTX) error {
			rows, err := e.q.ListAllGroupTimelines(ctx, tx, s.Workspace)
			p.groups = map[uuid.UUID]state.Groups{}
			for _, row := range rows {
				p.groups[row.ID] = row.GroupTimeline
			}
			return err
		},
	}
}

// facts turns the past into what the rules ask for, referee by referee, as if all of it had been pinned to a document.
func (p past) facts(e *Engine, s Scope, doc rules.Document) []settlement.Facts {
	draft := uuid.Nil // the id of the version that is not published
	histories := map[uuid.UUID]*history{}
	var order []uuid.UUID
	of := func(referee uuid.UUID) *history {
		h, known := histories[referee]
		if !known {
			h = &history{
				program: p.program, zone: zone(p.program.TimeZone), documents: map[uuid.UUID]rules.Document{draft: doc}, conditions: &e.conditions,
				groups: p.groups,
			}
			histories[referee] = h
			order = append(order, referee)
		}
		return h
	}
	above := map[uuid.UUID][]db.Referral{}
	for _, r := range p.referrals {
		above[r.RefereeID] = append(above[r.RefereeID], r)
		r.ProgramVersionID, r.QualifyBy = draft, r.AttributedAt.Add(time.Duration(doc.Qualification.WindowSeconds)*time.Second)
		of(r.RefereeID).referrals = append(of(r.RefereeID).referrals, r)
	}
	named := map[string]uuid.UUID{}
	for _, c := range p.conversions {
		if c.Upline == nil && depthOf(doc) > 0 {
			c.Upline = p.chain(c, above, depthOf(doc))
		}
		of(c.RefereeID).conversions = append(of(c.RefereeID).conversions, c)
		named[waitsForConversion(c.Source, c.ExternalID, c.Type)] = c.RefereeID
	}
	for _, r := range p.reversals {
		h := of(named[waitsForConversion(r.Source, r.ConversionExternalID, r.ConversionType)])
		h.reversals = append(h.reversals, r)
	}
	for _, c := range p.churns {
		of(c.RefereeID).churns = append(of(c.RefereeID).churns, c)
	}
	var out []settlement.Facts
	for _, referee := range order {
		h := histories[referee]
		for i := range h.referrals {
			out = append(out, h.facts(&h.referrals[i], s))
		}
	}
	return out
}

// decided is what the decision of a person leaves of what the rules owe: a reward that was cancelled by hand stays so, and somebody who is
// banned keeps what there was left, and gets nothing else.
func (p past) decided(doc rules.Document) func(settlement.Due) (int64, bool) {
	left, banned := map[rewardKey]int64{}, map[string]bool{}
	for _, row := range p.decisions {
		left[rewardKey{row.CauseID, row.RuleKey, row.ParticipantID, row.Level}] = row.Amount
	}
	for _, row := range p.ineligible {
		banned[row.ID.String()] = row.State == state.ParticipantBanned
	}
	return func(d settlement.Due) (int64, bool) {
		for _, m := range doc.Milestones {
			if m.Key == d.CauseID {
				start := calendar.Start(m.Period, d.OccurredAt, zone(p.program.TimeZone))
				d.CauseID = milestoneCause(p.program.ID, uuid.MustParse(d.ParticipantID), m, start).String()
			}
		}
		most, known := left[keyOf(d)]
		return most, known || banned[d.ParticipantID]
	}
}

// chain is who was above the referrer of a conversion when it occurred, for rules that are the first to ask.
func (p past) chain(c db.Conversion, above map[uuid.UUID][]db.Referral, depth int32) json.RawMessage {
	parent := func(who uuid.UUID) *db.Referral {
		var found *db.Referral
		for i, r := range above[who] {
			if !holdsFrom(r).After(c.OccurredAt) && (r.EndedAt == nil || r.EndedAt.After(c.OccurredAt)) {
				found = &above[who][i]
			}
		}
		return found
	}
	list := []ancestor{}
	direct := parent(c.RefereeID)
	for at := direct; at != nil && len(list) < int(depth); {
		if at = parent(at.ReferrerID); at != nil {
			_, barred := slices.BinarySearchFunc(p.ineligible, at.ReferrerID, func(a db.ListIneligibleParticipantsRow, b uuid.UUID) int { return bytes.Compare(a.ID[:], b[:]) })
			list = append(list, ancestor{ParticipantID: at.ReferrerID, Eligible: !barred, Group: p.groups[at.ReferrerID].At(c.OccurredAt)})
		}
	}
	raw, _ := json.Marshal(list) // ids and flags
	return raw
}

// compare sets what is owed beside what would be.
func (p past) compare(simulated map[settlement.Holding]int64) Simulation {
	type key struct {
		who  uuid.UUID
		kind string
	}
	both := map[key]*Difference{}
	totals := map[string]*Difference{}
	at := func(who uuid.UUID, kind string) (*Difference, *Difference) {
		currency := money.Kind(kind).Currency(p.program.Currency)
		if both[key{who, kind}] == nil {
			both[key{who, kind}] = &Difference{ParticipantID: who, Kind: kind, Currency: currency}
		}
		if totals[kind] == nil {
			totals[kind] = &Difference{Kind: kind, Currency: currency}
		}
		return both[key{who, kind}], totals[kind]
	}
	for _, row := range p.owed {
		one, all := at(row.ParticipantID, row.Kind)
		one.Old, all.Old = one.Old+row.Amount, all.Old+row.Amount
	}
	for h, amount := range simulated {
		one, all := at(uuid.MustParse(h.ParticipantID), h.Kind)
		one.New, all.New = one.New+amount, all.New+amount
	}
	out := Simulation{Referrals: len(p.referrals), Totals: []Difference{}, Differences: []Difference{}}
	for _, d := range both {
		if d.Old != d.New {
			out.Differences = append(out.Differences, *d)
		}
	}
	for _, d := range totals {
		out.Totals = append(out.Totals, *d)
	}
	byWho := func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.ParticipantID.String(), b.ParticipantID.String()), cmp.Compare(a.Kind, b.Kind))
	}
	slices.SortFunc(out.Differences, byWho)
	slices.SortFunc(out.Totals, byWho)
	text, _ := json.Marshal([]any{out.Referrals, out.Totals, out.Differences}) // ids, words and whole numbers
	sum := sha256.Sum256(text)
	out.Hash = hex.EncodeToString(sum[:])
	return out
}
