package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// monthCell is a row of referrer_months.
type monthCell struct {
	program, participant uuid.UUID
	month                time.Time
}

// progress is what a referrer has reached: the measures of tiers and milestones.
type progress struct{ qualified, conversions, revenue int64 }

func (p progress) plus(o progress, sign int64) progress {
	return progress{p.qualified + sign*o.qualified, p.conversions + sign*o.conversions, p.revenue + sign*o.revenue}
}

func (p progress) of(m rules.Measure) int64 {
	switch m {
	case rules.MeasureQualified:
		return p.qualified
	case rules.MeasureConversions:
		return p.conversions
	}
	return p.revenue
}

// reached is what a referral adds to what its referrer has reached: itself in the month in which it qualified, while it is qualified,
// and its conversions of which something is left in the months in which they occurred, once they have a rate.
func (h *history) reached(ref db.Referral) map[monthCell]progress {
	out := map[monthCell]progress{}
	if !isOpen(ref.State) {
		return out
	}
	add := func(at time.Time, p progress) {
		k := monthCell{ref.ProgramID, ref.ReferrerID, calendar.Start(rules.Month, at, h.zone)}
		out[k] = out[k].plus(p, 1)
	}
	if ref.State == state.ReferralQualified && ref.QualifiedAt != nil {
		add(*ref.QualifiedAt, progress{qualified: 1})
	}
	for _, c := range h.conversions {
		counts := c.State == state.ConversionCounted || c.State == state.ConversionPartiallyReversed
		if counts && c.BaseAmount != nil && c.ReferralID != nil && *c.ReferralID == ref.ID {
			add(c.OccurredAt, progress{conversions: 1, revenue: *c.BaseAmount - c.BaseReversedAmount})
		}
	}
	return out
}

// advance adds what the referrals of a history have more than before to the months of their referrers.
func (r *recorder) advance(h *history, b before) {
	for _, ref := range h.referrals {
		for k, p := range h.reached(ref) {
			r.months[k] = r.months[k].plus(p, 1)
		}
		for k, p := range b.reached[ref.ID] {
			r.months[k] = r.months[k].plus(p, -1)
		}
	}
}

// loadMonths reads what participants have reached, for those who have locked it.
func (r *recorder) loadMonths(ctx context.Context, program uuid.UUID, participants []uuid.UUID) load {
	return func(tx store.DBTX) error {
		rows, err := r.e.q.ListReferrerMonths(ctx, tx, db.ListReferrerMonthsParams{
			WorkspaceID: r.s.Workspace, ProgramID: program, ParticipantIds: participants,
		})
		for _, row := range rows {
			r.stored[monthCell{row.ProgramID, row.ParticipantID, row.Month.UTC()}] = progress{row.Qualified, row.Conversions, row.Revenue}
		}
		return err
	}
}

// total is what a participant has reached in a period, with what this transaction adds.
func (r *recorder) total(program, participant uuid.UUID, p rules.Period, start time.Time) (sum progress) {
	in := func(k monthCell) bool {
		return k.program == program && k.participant == participant && calendar.Start(p, k.month, time.UTC).Equal(start)
	}
	for k, v := range r.stored {
		if in(k) {
			sum = sum.plus(v, 1)
		}
	}
	for k, v := range r.months {
		if in(k) {
			sum = sum.plus(v, 1)
		}
	}
	return sum
}

// flushMonths adds the differences, in one order for all transactions.
func (r *recorder) flushMonths(ctx context.Context) error {
	order := make([]monthCell, 0, len(r.months))
	for k, p := range r.months {
		if p != (progress{}) {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, func(a, b monthCell) int {
		return cmp.Or(bytes.Compare(a.program[:], b.program[:]), bytes.Compare(a.participant[:], b.participant[:]), a.month.Compare(b.month))
	})
	for len(order) > 0 {
		p := db.CountReferrerMonthsParams{WorkspaceID: r.s.Workspace, ProgramID: order[0].program}
		for len(order) > 0 && order[0].program == p.ProgramID {
			k := order[0]
			p.ParticipantIds = append(p.ParticipantIds, k.participant)
			p.Months = append(p.Months, k.month)
			p.Qualified = append(p.Qualified, r.months[k].qualified)
			p.Conversions = append(p.Conversions, r.months[k].conversions)
			p.Revenue = append(p.Revenue, r.months[k].revenue)
			order = order[1:]
		}
		if err := r.e.q.CountReferrerMonths(ctx, r.tx.Write(), p); err != nil {
			return err
		}
	}
	return nil
}
