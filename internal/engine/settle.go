package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/condition"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// before is what a history looked like when it was loaded; settle records the difference to it.
type before struct {
	conversions map[uuid.UUID]db.Conversion
	counts      map[cell]counts
	reached     map[uuid.UUID]map[monthCell]progress // by referral
}

// mark remembers a history as it is stored. Call it after loading and before adding facts.
func (h *history) mark() before {
	b := before{conversions: map[uuid.UUID]db.Conversion{}, counts: map[cell]counts{}, reached: map[uuid.UUID]map[monthCell]progress{}}
	for _, c := range h.conversions {
		b.conversions[c.ID] = c
	}
	for _, ref := range h.referrals {
		b.reached[ref.ID] = h.reached(ref)
	}
	h.tally(-1, b.counts)
	return b
}

// settle makes what is stored agree with what the rules say of the history's facts, and queues the difference. New
// conversions (version 0) are inserted in their final state.
func (r *recorder) settle(ctx context.Context, h *history, b before) error {
	h.match()
	if err := r.resolveUplines(ctx, h); err != nil {
		return err
	}
	if err := r.loadGroups(ctx, h); err != nil {
		return err
	}
	facts := make([]settlement.Facts, len(h.referrals))
	outcomes := make([]settlement.Outcome, len(h.referrals))
	for i := range h.referrals {
		facts[i] = h.facts(&h.referrals[i], r.s)
		outcomes[i] = settlement.Settle(facts[i])
		h.applyVerdicts(outcomes[i].Conversions)
	}
	if err := r.writeConversions(ctx, h, b); err != nil {
		return err
	}
	for i := range h.referrals {
		if err := r.moveReferral(ctx, h, &h.referrals[i], outcomes[i]); err != nil {
			return err
		}
	}
	if err := r.payWithin(ctx, h, b, facts, outcomes); err != nil {
		return err
	}
	if err := r.closeWaiting(ctx, h); err != nil {
		return err
	}
	for k, c := range b.counts {
		r.counts[k] = r.counts[k].plus(c, 1)
	}
	h.tally(1, r.counts)
	return nil
}

// match gives every conversion to the referral that covers it: the latest one attributed at or before it occurred. One
// that occurred before every referral goes to the first, which will disqualify it. A match stands until its referral is
// superseded, or has expired and a later one covers the conversion: its signup arrived after it.
func (h *history) match() {
	var open []db.Referral
	lets := map[uuid.UUID]bool{}
	for _, r := range h.referrals {
		lets[r.ID] = r.State == state.ReferralSuperseded || r.State == state.ReferralExpired
		if r.State != state.ReferralSuperseded {
			open = append(open, r)
		}
	}
	slices.SortFunc(open, func(a, b db.Referral) int {
		if d := a.AttributedAt.Compare(b.AttributedAt); d != 0 {
			return d
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	for i := range h.conversions {
		c := &h.conversions[i]
		h.setReversed(c)
		if len(open) == 0 || (c.ReferralID != nil && !lets[*c.ReferralID]) {
			continue
		}
		to := open[0].ID
		for _, r := range open {
			if !r.AttributedAt.After(c.OccurredAt) {
				to = r.ID
			}
		}
		if !same(c.ReferralID, &to) {
			c.ReferralID, c.Upline = &to, nil
		}
	}
}

// facts turns the rows of one referral into what the rules ask for.
func (h *history) facts(r *db.Referral, s Scope) settlement.Facts {
	f := settlement.Facts{
		ReferralID: r.ID.String(), Stored: r.State, StoredReason: r.Reason, SignupAt: r.AttributedAt, QualifyBy: r.QualifyBy,
		HonoredUntil: h.honoredUntil(), Zone: h.zone, Rules: h.documents[r.ProgramVersionID], Now: s.Now,
		ReferrerID: r.ReferrerID.String(), RefereeID: r.RefereeID.String(), Rated: h.rated(), Group: h.groups[r.ReferrerID].At(r.AttributedAt),
	}
	for i := range h.conversions {
		c := &h.conversions[i]
		if c.ReferralID == nil || *c.ReferralID != r.ID {
			continue
		}
		of := settlement.Conversion{
			ID: c.ID.String(), Key: c.Source + "\x00" + c.ExternalID + "\x00" + c.Type, Type: c.Type, Amount: c.Amount,
			Reversals: h.reversalsOf(*c), OccurredAt: c.OccurredAt, Stored: c.State, Upline: upline(c.Upline), Meets: h.meets(*c),
			Group:    h.groups[r.ReferrerID].At(c.OccurredAt),
			Exchange: exchangeOf(*c), Unpriced: c.BaseAmount == nil,
		}
		if version := h.versionAt(r, c.OccurredAt); version != r.ProgramVersionID {
			doc := h.documents[version]
			of.Rules, of.VersionID = &doc, version.String()
		}
		f.Conversions = append(f.Conversions, of)
	}
	for _, c := range h.churns {
		f.Churns = append(f.Churns, settlement.Churn{
			ID: c.ID.String(), Key: c.Source + "\x00" + c.ExternalID, Back: c.Kind == KindReactivation, OccurredAt: c.OccurredAt,
		})
	}
	return f
}

// meets judges the conditions of rules by a conversion.
func (h *history) meets(c db.Conversion) func(string) bool {
	return func(text string) bool {
		fact := condition.Fact{Type: c.Type, Source: c.Source, Amount: c.Amount, Currency: c.Currency, OccurredAt: c.OccurredAt}
		if json.Unmarshal(c.Metadata, &fact.Metadata) != nil {
			return false
		}
		return h.conditions.Holds(text, fact)
	}
}

// reversalsOf lists the undos of one conversion.
func (h *history) reversalsOf(c db.Conversion) []settlement.Reversal {
	var out []settlement.Reversal
	for _, r := range h.reversals {
		if r.Source != c.Source || r.ConversionExternalID != c.ExternalID || r.ConversionType != c.Type {
			continue
		}
		out = append(out, toReversal(r, c))
	}
	return out
}

func toReversal(r db.Reversal, of db.Conversion) settlement.Reversal {
	out := settlement.Reversal{
		ID: r.ID.String(), Key: r.ExternalID, Kind: settlement.Kind(r.Kind), Amount: r.Amount,
		Foreign: r.Currency != nil && *r.Currency != of.Currency, OccurredAt: r.OccurredAt,
	}
	if r.RestoresReversalID != nil {
		out.Restores = r.RestoresReversalID.String()
	}
	return out
}

func (h *history) applyVerdicts(verdicts []settlement.Verdict) {
	at := make(map[uuid.UUID]int, len(h.conversions))
	for i, c := range h.conversions {
		at[c.ID] = i
	}
	for _, v := range verdicts {
		c := &h.conversions[at[uuid.MustParse(v.ID)]]
		if c.State == state.ConversionDisqualified && v.State != state.ConversionDisqualified {
			continue // disqualified is final
		}
		c.State, c.Reason = v.State, v.Reason
	}
}

// writeConversions inserts new conversions and moves those whose verdict changed.
func (r *recorder) writeConversions(ctx context.Context, h *history, b before) error {
	for i := range h.conversions {
		c := &h.conversions[i]
		old, stored := b.conversions[c.ID]
		if h.priced[c.ID] {
			var err error
			if old, err = r.priceConversion(ctx, old, c); err != nil {
				return err
			}
		}
		switch {
		case !stored:
			if err := r.createConversion(ctx, c); err != nil {
				return err
			}
		case old.State != c.State || old.Reason != c.Reason || old.ReversedAmount != c.ReversedAmount || !same(old.ReferralID, c.ReferralID) ||
			!bytes.Equal(old.Upline, c.Upline):
			if err := r.moveConversion(ctx, old, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *recorder) createConversion(ctx context.Context, c *db.Conversion) error {
	c.Version = 1
	r.event("conversion.recorded", "conversion", c.ID, conversionData(*c))
	return r.e.q.CreateConversion(ctx, r.tx.Write(), db.CreateConversionParams{
		WorkspaceID: r.s.Workspace, ID: c.ID, ProgramID: c.ProgramID, RefereeID: c.RefereeID, ReferralID: c.ReferralID,
		Source: c.Source, ExternalID: c.ExternalID, Type: c.Type, Amount: c.Amount, Currency: c.Currency,
		ReversedAmount: c.ReversedAmount, BaseCurrency: c.BaseCurrency, BaseAmount: c.BaseAmount, BaseReversedAmount: c.BaseReversedAmount,
		ExchangeRateID: c.ExchangeRateID, ExchangeRate: c.ExchangeRate, ExchangeRateSource: c.ExchangeRateSource, ExchangeRateAt: c.ExchangeRateAt, State: c.State, Reason: c.Reason, Fingerprint: c.Fingerprint, Metadata: c.Metadata, Upline: c.Upline,
		OccurredAt: c.OccurredAt, ReceivedAt: c.ReceivedAt,
	})
}

func (r *recorder) moveConversion(ctx context.Context, old db.Conversion, c *db.Conversion) error {
	event := conversionEvent(old, *c)
	switch priced := old.BaseAmount == nil && c.BaseAmount != nil; {
	case priced && event == "conversion.matched" && same(old.ReferralID, c.ReferralID): // only its reason is another one now
	case old.State != state.ConversionUnmatched || event == "conversion.disqualified":
		r.event(event, "conversion", c.ID, conversionData(*c))
	default: // what was undone before it was matched is undone after it
		r.event("conversion.matched", "conversion", c.ID, conversionData(*c))
		if c.ReversedAmount > 0 {
			r.event("conversion.reversed", "conversion", c.ID, conversionData(*c))
		}
	}
	err := r.e.q.MoveConversion(ctx, r.tx.Guard(), db.MoveConversionParams{
		WorkspaceID: r.s.Workspace, ID: c.ID, ReferralID: c.ReferralID, ReversedAmount: c.ReversedAmount,
		BaseReversedAmount: c.BaseReversedAmount, ToState: c.State,
		Reason: c.Reason, Upline: c.Upline, FromState: old.State, Version: old.Version,
	})
	c.Version = old.Version + 1
	return err
}

func conversionEvent(old, c db.Conversion) string {
	switch {
	case c.State == state.ConversionDisqualified:
		return "conversion.disqualified"
	case c.ReversedAmount > old.ReversedAmount:
		return "conversion.reversed"
	case c.ReversedAmount < old.ReversedAmount:
		return "conversion.restored"
	}
	return "conversion.matched"
}

func conversionData(c db.Conversion) any {
	return struct {
		ReferralID     *uuid.UUID       `json:"referral_id"`
		State          state.Conversion `json:"state"`
		Reason         reason.Code      `json:"reason"`
		Amount         int64            `json:"amount"`
		ReversedAmount int64            `json:"reversed_amount"`
		Currency       string           `json:"currency"`
	}{c.ReferralID, c.State, c.Reason, c.Amount, c.ReversedAmount, c.Currency}
}

// closeWaiting settles the facts that waited for a referral, once the referee has one.
func (r *recorder) closeWaiting(ctx context.Context, h *history) error {
	if len(h.waiting) == 0 || len(h.referrals) == 0 {
		return nil
	}
	became := map[reason.Code][]uuid.UUID{}
	for _, w := range h.waiting {
		why := h.becameOf(w)
		became[why] = append(became[why], w.FactID)
	}
	h.waiting = nil
	for _, why := range slices.Sorted(maps.Keys(became)) {
		how := "settled"
		if why != reason.Counted {
			how = "refused"
		}
		if err := r.e.q.SettleUnmatchedFacts(ctx, r.tx.Write(), db.SettleUnmatchedFactsParams{
			WorkspaceID: r.s.Workspace, FactIds: became[why], State: how, Reason: why, SettledAt: r.s.Now,
		}); err != nil {
			return err
		}
	}
	return nil
}

// becameOf says that a waiting fact counted, or why it was disqualified.
func (h *history) becameOf(w db.UnmatchedFact) reason.Code {
	for _, c := range h.conversions {
		if c.ID == w.FactID && c.State == state.ConversionDisqualified {
			return c.Reason
		}
	}
	return reason.Counted
}

func same(a, b *uuid.UUID) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
