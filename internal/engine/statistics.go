package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// shards spreads the counters of a day over rows, so that concurrent signups of one program do not queue behind one row.
const shards = 8

// cell is one row of counters: of a program when participant is the zero id, of a referrer otherwise.
type cell struct {
	program, participant uuid.UUID
	day                  time.Time
	shard                int16
}

// counts is what a cell holds. Clicks and visitors are folded from the stored clicks and are not here.
type counts struct {
	signups, referrals, qualified, conversions, revenue, reversedRevenue, rewardsGranted, rewardsReversed int64
}

func (c counts) plus(o counts, sign int64) counts {
	return counts{
		c.signups + sign*o.signups, c.referrals + sign*o.referrals, c.qualified + sign*o.qualified,
		c.conversions + sign*o.conversions, c.revenue + sign*o.revenue, c.reversedRevenue + sign*o.reversedRevenue,
		c.rewardsGranted + sign*o.rewardsGranted, c.rewardsReversed + sign*o.rewardsReversed,
	}
}

// tally counts a history. It is the definition of the statistics: what a transaction changes is the tally after it less the
// tally before it.
//
// A referral counts for its referrer and its program on the day it was attributed, unless it was superseded; as qualified on the
// day it qualified, while it is qualified or churned. A conversion counts on the day it occurred once it is matched and not
// disqualified, with its amount in the program's currency as revenue, once there is a rate, and what was taken back as reversed revenue. A reward in the program's currency
// counts on the day of its cause, for the program and, when the referrer earns it, for that referrer.
func (h *history) tally(sign int64, into map[cell]counts) {
	add := func(referrer uuid.UUID, at time.Time, c counts) {
		day := calendar.Day(at, h.zone)
		for _, participant := range []uuid.UUID{uuid.Nil, referrer} {
			k := cell{h.program.ID, participant, day, h.shard()}
			into[k] = into[k].plus(c, sign)
		}
	}
	referrers := map[uuid.UUID]db.Referral{}
	for _, r := range h.referrals {
		referrers[r.ID] = r
		if r.State == state.ReferralSuperseded {
			continue
		}
		add(r.ReferrerID, r.AttributedAt, counts{referrals: 1})
		if r.QualifiedAt != nil && (r.State == state.ReferralQualified || r.State == state.ReferralChurned) {
			add(r.ReferrerID, *r.QualifiedAt, counts{qualified: 1})
		}
	}
	occurred := map[uuid.UUID]time.Time{}
	for _, c := range h.conversions {
		occurred[c.ID] = c.OccurredAt
		if c.ReferralID == nil || c.State == state.ConversionDisqualified || c.State == state.ConversionUnmatched {
			continue
		}
		add(referrers[*c.ReferralID].ReferrerID, c.OccurredAt, counts{conversions: 1, revenue: deref(c.BaseAmount), reversedRevenue: c.BaseReversedAmount})
	}
	for _, w := range h.rewards {
		if w.Currency != h.program.Currency {
			continue
		}
		at, ok := occurred[w.CauseID]
		if !ok {
			at = referrers[*w.ReferralID].AttributedAt
		}
		k := cell{h.program.ID, uuid.Nil, calendar.Day(at, h.zone), h.shard()}
		c := counts{rewardsGranted: w.Granted, rewardsReversed: w.Reversed}
		into[k] = into[k].plus(c, sign)
		if w.Beneficiary == "referrer" {
			k.participant = w.ParticipantID
			into[k] = into[k].plus(c, sign)
		}
	}
}

// shard is the same for everything of one referee, so that a cell's shard is never negative.
func (h *history) shard() int16 { return int16(h.referee.ID[15] % shards) }

// flushCounts adds the differences, program cells before referrer cells, each in ascending order.
func (r *recorder) flushCounts(ctx context.Context) error {
	order := make([]cell, 0, len(r.counts))
	for k, c := range r.counts {
		if c != (counts{}) {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, func(a, b cell) int {
		return cmp.Or(bytes.Compare(a.participant[:], b.participant[:]), bytes.Compare(a.program[:], b.program[:]), a.day.Compare(b.day), cmp.Compare(a.shard, b.shard))
	})
	for len(order) > 0 {
		first := order[0]
		n := slices.IndexFunc(order, func(k cell) bool {
			return k.program != first.program || k.shard != first.shard || (k.participant == uuid.Nil) != (first.participant == uuid.Nil)
		})
		if n < 0 {
			n = len(order)
		}
		if err := r.countRun(ctx, order[:n]); err != nil {
			return err
		}
		order = order[n:]
	}
	return nil
}

// countRun writes cells of one program, one shard and one table.
func (r *recorder) countRun(ctx context.Context, run []cell) error {
	p := db.CountReferrerDaysParams{WorkspaceID: r.s.Workspace, ProgramID: run[0].program, Shard: run[0].shard}
	for _, k := range run {
		c := r.counts[k]
		p.ParticipantIds = append(p.ParticipantIds, k.participant)
		p.Days = append(p.Days, k.day)
		p.Signups = append(p.Signups, c.signups)
		p.Referrals = append(p.Referrals, c.referrals)
		p.Qualified = append(p.Qualified, c.qualified)
		p.Conversions = append(p.Conversions, c.conversions)
		p.Revenue = append(p.Revenue, c.revenue)
		p.ReversedRevenue = append(p.ReversedRevenue, c.reversedRevenue)
		p.RewardsGranted = append(p.RewardsGranted, c.rewardsGranted)
		p.RewardsReversed = append(p.RewardsReversed, c.rewardsReversed)
	}
	if run[0].participant != uuid.Nil {
		return r.e.q.CountReferrerDays(ctx, r.tx.Write(), p)
	}
	return r.e.q.CountProgramDays(ctx, r.tx.Write(), db.CountProgramDaysParams{
		WorkspaceID: p.WorkspaceID, ProgramID: p.ProgramID, Shard: p.Shard, Days: p.Days, Signups: p.Signups,
		Referrals: p.Referrals, Qualified: p.Qualified, Conversions: p.Conversions, Revenue: p.Revenue,
		ReversedRevenue: p.ReversedRevenue, RewardsGranted: p.RewardsGranted, RewardsReversed: p.RewardsReversed,
	})
}
