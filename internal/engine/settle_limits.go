package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// payWithin pays what the outcomes owe, within what the caps, the budget and the tiers of the program leave. Only what this
// transaction grants or gives back asks for them; then their rows are locked, and the facts are settled again with what is known from
// them. Most transactions ask for none.
func (r *recorder) payWithin(ctx context.Context, h *history, b before, facts []settlement.Facts, outcomes []settlement.Outcome) error {
	r.advance(h, b)
	if err := r.reopenTierPeriods(ctx, h, b); err != nil {
		return err
	}
	goals := r.goals(h, b)
	wanted := map[limitKey]int64{}
	for _, g := range goals {
		wanted[progressOf(h.program.ID, g.referrer)] = 0
		for _, bound := range h.boundsOf(h.documents[g.version], g.due()) {
			wanted[bound.key] = max(wanted[bound.key], bound.most)
		}
	}
	tiered := h.wanted(outcomes, wanted)
	paid := map[uuid.UUID]db.Reward{}
	if len(wanted) > 0 {
		var who []uuid.UUID
		for k := range wanted {
			if k.name == limitProgress {
				who = append(who, k.participant)
			}
		}
		var also []load
		if len(who) > 0 {
			also = append(also, r.loadMonths(ctx, h.program.ID, who))
		}
		if len(goals) > 0 {
			also = append(also, r.loadMilestones(ctx, goals, paid))
		}
		if err := r.lockLimits(ctx, wanted, also...); err != nil {
			return err
		}
	}
	if tiered {
		for i := range facts {
			facts[i].Reached = r.othersReached(h, h.referrals[i])
			outcomes[i] = settlement.Settle(facts[i])
		}
	}
	if err := r.loseGoals(ctx, h, goals, paid); err != nil {
		return err
	}
	if err := r.payDues(ctx, h, outcomes); err != nil {
		return err
	}
	return r.payGoals(ctx, h, goals, paid)
}

func progressOf(program, participant uuid.UUID) limitKey {
	return limitKey{program: program, participant: participant, name: limitProgress, period: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// wanted adds the limits that granting and giving back the dues of outcomes asks for, and reports whether one is rated by a tier.
func (h *history) wanted(outcomes []settlement.Outcome, wanted map[limitKey]int64) (tiered bool) {
	stored := h.recorded()
	for i, o := range outcomes {
		ref := h.referrals[i]
		for _, due := range append(o.Rewards[:len(o.Rewards):len(o.Rewards)], o.Undone...) {
			at, known := stored[keyOf(due)]
			if due.Denied || due.Unpriced || known && !asksFor(h.rewards[at], due) {
				continue
			}
			if !known && due.Rule.Tiers != nil {
				tiered = true
				wanted[progressOf(h.program.ID, uuid.MustParse(due.ParticipantID))] = 0
			}
			for _, bound := range h.boundsOf(h.rulesOf(ref, due), due) {
				wanted[bound.key] = max(wanted[bound.key], bound.most)
			}
		}
	}
	return tiered
}

// asksFor reports whether a reward on record is given something back, or a better tier adds to it.
func asksFor(w db.Reward, due settlement.Due) bool {
	return netOf(w, due) > w.Granted-w.Reversed || due.Granted > w.Granted+w.Capped
}

// othersReached tells what a participant has reached by everything but one referral, whose own part the rules count.
func (r *recorder) othersReached(h *history, ref db.Referral) func(string, rules.Tiers, time.Time) int64 {
	own := h.reached(ref)
	return func(participant string, t rules.Tiers, at time.Time) int64 {
		id, start := uuid.MustParse(participant), calendar.Start(t.Period, at, h.zone)
		sum := r.total(h.program.ID, id, t.Period, start)
		for k, p := range own {
			if k.participant == id && calendar.Start(t.Period, k.month, time.UTC).Equal(start) {
				sum = sum.plus(p, -1)
			}
		}
		return sum.of(t.Measure)
	}
}
