package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// goal is a milestone of a referrer in one period that this transaction may have reached or lost.
type goal struct {
	rules.Milestone
	cause     uuid.UUID
	referrer  uuid.UUID
	version   uuid.UUID
	start, at time.Time
}

// goals are the milestones whose measure this transaction has changed, each once, by the rules of the referral that changed it.
func (r *recorder) goals(h *history, b before) []goal {
	var out []goal
	seen := map[uuid.UUID]bool{}
	for _, ref := range h.referrals {
		milestones := h.documents[ref.ProgramVersionID].Milestones
		if len(milestones) == 0 {
			continue
		}
		for _, k := range changedMonths(b.reached[ref.ID], h.reached(ref)) {
			for _, m := range milestones {
				start := calendar.Start(m.Period, k.month, time.UTC)
				g := goal{Milestone: m, referrer: ref.ReferrerID, version: ref.ProgramVersionID, start: start, at: h.latest(ref, m.Period, start, r.s.Now)}
				g.cause = milestoneCause(h.program.ID, ref.ReferrerID, m, start)
				if !seen[g.cause] {
					seen[g.cause] = true
					out = append(out, g)
				}
			}
		}
	}
	return out
}

// milestoneCause stands where the id of a conversion stands, for a milestone of a referrer in the period that begins on start.
func milestoneCause(program, referrer uuid.UUID, m rules.Milestone, start time.Time) uuid.UUID {
	return uuid.NewSHA1(program, []byte(strings.Join(
		[]string{"milestone", referrer.String(), m.Key, string(m.Period), start.Format(time.DateOnly)}, "\x00",
	)))
}

// changedMonths lists the months in which something has changed, in their order: the first comes first under a budget.
func changedMonths(old, now map[monthCell]progress) []monthCell {
	var out []monthCell
	for k, p := range now {
		if old[k] != p {
			out = append(out, k)
		}
	}
	for k := range old {
		if _, still := now[k]; !still {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b monthCell) int { return a.month.Compare(b.month) })
	return out
}

// latest is when the last conversion of a referral in a period occurred: the hold of a milestone counts from it.
func (h *history) latest(ref db.Referral, p rules.Period, start, now time.Time) time.Time {
	var at time.Time
	for _, c := range h.conversions {
		in := c.ReferralID != nil && *c.ReferralID == ref.ID && calendar.Start(p, c.OccurredAt, h.zone).Equal(start)
		if in && c.OccurredAt.After(at) {
			at = c.OccurredAt
		}
	}
	if at.IsZero() {
		return now
	}
	return at
}

// loadMilestones reads and locks what was paid for goals before.
func (r *recorder) loadMilestones(ctx context.Context, goals []goal, into map[uuid.UUID]db.Reward) load {
	var causes []uuid.UUID
	for _, g := range goals {
		causes = append(causes, g.cause)
	}
	return func(tx store.DBTX) error {
		rows, err := r.e.q.ListMilestoneRewardsForUpdate(ctx, tx, db.ListMilestoneRewardsForUpdateParams{WorkspaceID: r.s.Workspace, CauseIds: causes})
		for _, w := range rows {
			into[w.CauseID] = w
		}
		return err
	}
}

// due is what a goal pays.
func (g goal) due() settlement.Due {
	return settlement.Due{
		CauseID: g.cause.String(), ParticipantID: g.referrer.String(), Level: 1, Granted: g.Amount, Net: g.Amount, OccurredAt: g.at,
		AvailableAt: g.at.Add(time.Duration(g.HoldSeconds) * time.Second), Reason: reason.MilestoneReached,
		Amount: rules.Amount{Type: rules.Fixed, Value: g.Amount},
		Rule:   rules.RewardRule{Key: g.Key, Beneficiary: rules.Referrer, Kind: g.Kind, ExpiresAfterSeconds: g.ExpiresAfterSeconds},
	}
}

// loseGoals takes back reversible milestones that are not reached any more.
func (r *recorder) loseGoals(ctx context.Context, h *history, goals []goal, paid map[uuid.UUID]db.Reward) error {
	for _, g := range goals {
		w, known := paid[g.cause]
		if !known || !g.Reversible || r.achieved(h, g) {
			continue
		}
		was := w.Reversed
		if err := r.adjust(ctx, &w, w.Granted, reason.MilestoneLost); err != nil {
			return err
		}
		r.countManual(h, w, counts{rewardsReversed: w.Reversed - was})
	}
	return nil
}

// payGoals grants milestones that are reached, once, and gives back reversible ones that are reached again.
func (r *recorder) payGoals(ctx context.Context, h *history, goals []goal, paid map[uuid.UUID]db.Reward) error {
	for _, g := range goals {
		if !r.achieved(h, g) {
			continue
		}
		w, known := paid[g.cause]
		if !known {
			if err := r.grantMilestone(ctx, h, g); err != nil {
				return err
			}
			continue
		}
		if !g.Reversible {
			continue
		}
		was := w.Reversed
		if err := r.regainMilestone(ctx, &w); err != nil {
			return err
		}
		r.countManual(h, w, counts{rewardsReversed: w.Reversed - was})
	}
	return nil
}

func (r *recorder) achieved(h *history, g goal) bool {
	return r.total(h.program.ID, g.referrer, g.Period, g.start).of(g.Measure) >= g.Threshold
}

// regainMilestone gives a milestone back within its limits.
func (r *recorder) regainMilestone(ctx context.Context, w *db.Reward) error {
	reversed := w.Granted - netOf(*w, settlement.Due{Granted: *w.AmountValue, Net: *w.AmountValue})
	if reversed >= w.Reversed {
		return nil
	}
	bounds, err := r.boundsOnRecord(ctx, *w)
	if err != nil {
		return err
	}
	return r.restore(ctx, w, bounds, reversed, reason.Reinstated)
}

func (r *recorder) grantMilestone(ctx context.Context, h *history, g goal) error {
	w := h.newReward(r.s, g.due(), nil, g.version)
	w.CauseKind = "milestone"
	if err := r.grantWithin(ctx, &w, h.boundsOf(h.documents[g.version], g.due()), g.due()); err != nil {
		return err
	}
	r.countManual(h, w, counts{rewardsGranted: w.Granted})
	return nil
}
