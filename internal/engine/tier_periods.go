package engine

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// openTierPeriod remembers that a reward is rated again when its period closes.
func (r *recorder) openTierPeriod(ctx context.Context, h *history, w db.Reward, due settlement.Due) error {
	t := due.Rule.Tiers
	if t == nil || t.Mode != rules.Recompute || w.CauseKind == causeRerating {
		return nil
	}
	start := calendar.Start(t.Period, due.OccurredAt, h.zone)
	end := calendar.End(t.Period, start)
	return r.e.q.OpenTierPeriod(ctx, r.tx.Write(), db.OpenTierPeriodParams{
		WorkspaceID: r.s.Workspace, ProgramID: h.program.ID, ParticipantID: w.ParticipantID, RuleKey: w.RuleKey, StartsOn: start, EndsOn: end,
		CloseAt: calendar.Instant(end, h.zone),
	})
}

// reopenTierPeriods has the rewards of closed periods rated again in which this transaction has changed what was reached.
func (r *recorder) reopenTierPeriods(ctx context.Context, h *history, b before) error {
	recomputes := func(doc rules.Document) bool {
		return slices.ContainsFunc(doc.Rewards, func(rule rules.RewardRule) bool { return rule.Tiers != nil && rule.Tiers.Mode == rules.Recompute })
	}
	for _, ref := range h.referrals {
		if !recomputes(h.documents[ref.ProgramVersionID]) {
			continue
		}
		months := changedMonths(b.reached[ref.ID], h.reached(ref))
		if len(months) == 0 {
			continue
		}
		if err := r.e.q.ReopenTierPeriods(ctx, r.tx.Write(), db.ReopenTierPeriodsParams{
			WorkspaceID: r.s.Workspace, ProgramID: h.program.ID, ParticipantIds: []uuid.UUID{ref.ReferrerID},
			FirstMonth: months[0].month, LastMonth: months[len(months)-1].month,
		}); err != nil {
			return err
		}
	}
	return nil
}

// ratePage bounds how many referrals are looked up at a time.
const ratePage = 100

// closeTierPeriods rates the rewards of periods that are over by the step that was reached in them, referral by referral, each in a
// transaction of its own. A period whose facts change meanwhile stays due.
func (e *Engine) closeTierPeriods(ctx context.Context, st *store.Store, s Scope) (closed int, err error) {
	var after db.GetTierPeriodToCloseParams
	for {
		after.WorkspaceID, after.Now = s.Workspace, s.Now
		p, err := e.q.GetTierPeriodToClose(ctx, st.DB(s.Workspace), after)
		if err != nil {
			return closed, optional(err)
		}
		if err := e.ratePeriod(ctx, st, s, p); err != nil {
			return closed, err
		}
		err = st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) error {
			_, err := e.q.CloseTierPeriod(ctx, tx.DB(), db.CloseTierPeriodParams{
				WorkspaceID: s.Workspace, ProgramID: p.ProgramID, ParticipantID: p.ParticipantID, RuleKey: p.RuleKey, StartsOn: p.StartsOn,
				Version: p.Version, ClosedAt: &s.Now,
			})
			return err
		})
		if err != nil {
			return closed, err
		}
		closed++
		after = db.GetTierPeriodToCloseParams{
			AfterCloseAt: p.CloseAt, AfterParticipantID: p.ParticipantID, AfterProgramID: p.ProgramID, AfterRuleKey: p.RuleKey, AfterStartsOn: p.StartsOn,
		}
	}
}

func (e *Engine) ratePeriod(ctx context.Context, st *store.Store, s Scope, p db.TierPeriod) error {
	program, err := e.q.GetProgram(ctx, st.DB(s.Workspace), db.GetProgramParams{WorkspaceID: s.Workspace, ID: p.ProgramID})
	if err != nil {
		return err
	}
	loc := zone(program.TimeZone)
	var after uuid.UUID
	for {
		page, err := e.q.ListReferralsToRate(ctx, st.DB(s.Workspace), db.ListReferralsToRateParams{
			WorkspaceID: s.Workspace, ParticipantID: p.ParticipantID, ProgramID: p.ProgramID, RuleKey: p.RuleKey, After: &after,
			StartsAt: calendar.Instant(p.StartsOn, loc), EndsAt: calendar.Instant(p.EndsOn, loc), PageLimit: ratePage,
		})
		if err != nil {
			return err
		}
		for _, referral := range page {
			if err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) error {
				return e.rateAgain(ctx, tx, s, p, referral)
			}); err != nil {
				return err
			}
			after = referral
		}
		if len(page) < ratePage {
			return nil
		}
	}
}

// rateAgain gives the rewards of one referral in a period the step that its beneficiary has reached, and settles the referee with that.
func (e *Engine) rateAgain(ctx context.Context, tx *store.Tx, s Scope, p db.TierPeriod, referral uuid.UUID) error {
	h, _, err := e.loadHistoryOf(ctx, tx, s, referral)
	if err != nil {
		return err
	}
	b := h.mark()
	r := e.record(tx, s)
	lock := map[limitKey]int64{progressOf(p.ProgramID, p.ParticipantID): 0}
	if err := r.lockLimits(ctx, lock, r.loadMonths(ctx, p.ProgramID, []uuid.UUID{p.ParticipantID})); err != nil {
		return err
	}
	for i := range h.rewards {
		w := &h.rewards[i]
		rule, in := h.ratedIn(*w, p)
		if !in {
			continue
		}
		n := r.total(p.ProgramID, p.ParticipantID, rule.Tiers.Period, p.StartsOn.UTC()).of(rule.Tiers.Measure)
		amount, tier := rule.RatedAt(n)
		if tier == int(w.Tier) {
			continue
		}
		old, kind := *w, string(amount.Type)
		w.Tier, w.AmountType, w.AmountValue = int32(tier), &kind, &amount.Value
		r.event("reward.rerated", "reward", w.ID, rewardData(*w))
		if err := r.moveReward(ctx, old, w); err != nil {
			return err
		}
	}
	if err := r.settle(ctx, h, b); err != nil {
		return err
	}
	return r.flush(ctx)
}

// ratedIn finds the rule of a reward that the close of a period rates again. One that waits for a rate is rated when it has one.
func (h *history) ratedIn(w db.Reward, p db.TierPeriod) (rules.RewardRule, bool) {
	if w.ParticipantID != p.ParticipantID || w.RuleKey != p.RuleKey || w.CauseKind != "conversion" || ungranted(w) {
		return rules.RewardRule{}, false
	}
	rewards := h.documents[w.ProgramVersionID].Rewards
	at := slices.IndexFunc(rewards, func(rule rules.RewardRule) bool { return rule.Key == w.RuleKey })
	c := slices.IndexFunc(h.conversions, func(c db.Conversion) bool { return c.ID == w.CauseID })
	if at < 0 || c < 0 || rewards[at].Tiers == nil || rewards[at].Tiers.Mode != rules.Recompute {
		return rules.RewardRule{}, false
	}
	start := calendar.Start(rewards[at].Tiers.Period, h.conversions[c].OccurredAt, h.zone)
	return rewards[at], start.Equal(p.StartsOn.UTC().Truncate(24 * time.Hour))
}
