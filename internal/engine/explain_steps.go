package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// narrator turns the log into steps. It remembers what had been taken back before, because the log holds totals and a step says
// what it changed.
type narrator struct {
	*story
	reversed map[uuid.UUID]int64 // of rewards
	taken    map[uuid.UUID]int64 // of conversions
	room     int                 // for steps that no event made
}

func newNarrator(t *story) *narrator {
	room := maxSteps - len(t.decisions) - len(t.events)
	return &narrator{story: t, reversed: map[uuid.UUID]int64{}, taken: map[uuid.UUID]int64{}, room: room}
}

// logged is what the data of events can hold, as far as stories need it.
type logged struct {
	Reason         reason.Code `json:"reason"`
	Amount         int64       `json:"amount"`
	ReversedAmount int64       `json:"reversed_amount"`
	Currency       string      `json:"currency"`
	Granted        int64       `json:"granted"`
	Reversed       int64       `json:"reversed"`
	Redeemed       int64       `json:"redeemed"`
	Taken          int64       `json:"taken"`
	Qualifying     *uuid.UUID  `json:"qualifying_conversion_id"`
	Rate           string      `json:"rate"`
	Source         string      `json:"source"`
	Note           string      `json:"-"` // stored beside the data
}

// tell makes a step of an event, and of each rule that paid nothing for it; none of those that another step tells already.
func (n *narrator) tell(ev db.Event) ([]Step, error) {
	var d logged
	if err := json.Unmarshal(ev.Data, &d); err != nil {
		return nil, fmt.Errorf("read the data of an event: %w", err)
	}
	if ev.Note != nil {
		d.Note = *ev.Note
	}
	s := Step{At: ev.CreatedAt.UTC(), Reason: d.Reason, Amounts: []NamedAmount{}}
	subject, what, _ := strings.Cut(ev.Type, ".")
	switch subject {
	case "referral":
		if what == "attributed" {
			return nil, nil // the decision tells it
		}
		n.tellReferral(&s, what, d)
	case "conversion":
		n.tellConversion(&s, what, ev.SubjectID, d)
		return append([]Step{s}, n.unpaid(s, what, ev.SubjectID)...), nil
	case "reversal":
		n.tellReversal(&s, ev.SubjectID, d)
	case "reward":
		n.tellReward(&s, what, ev.SubjectID, d)
	case "churn":
		s.Reason, s.Title = reason.ReversedChurn, "Left"
		s.Detail = n.referee + " left at " + when(n.churns[ev.SubjectID].OccurredAt) + "."
	case "reactivation":
		s.Reason, s.Title = reason.Reinstated, "Came back"
		s.Detail = n.referee + " came back at " + when(n.churns[ev.SubjectID].OccurredAt) + "."
	default:
		return nil, nil
	}
	return []Step{s}, nil
}

func (n *narrator) tellReferral(s *Step, what string, d logged) {
	r := n.referral
	switch what {
	case "qualified", "reopened":
		n.tellQualified(s, what, d)
	case "unqualified":
		s.Title, s.Detail = "No longer qualified", "The qualification was taken back. "+means(d.Reason)
	case "expired":
		s.Title, s.Detail = "Expired", "Nothing qualified the referral before the end of its window at "+when(r.QualifyBy)+"."
	case "rejected":
		s.Title, s.Detail = "Rejected", means(d.Reason)+" What it had earned was taken back."
	case "superseded":
		s.Title, s.Detail = "Superseded", n.referee+" was given to another referrer, who earns everything from the start."
	case "churned":
		s.Title, s.Detail = "Churned", means(d.Reason)
	case "reactivated":
		s.Title, s.Detail = "Qualified again", n.referee+" came back, and the referral counts again."
	default:
		s.Title, s.Detail = "Changed", means(d.Reason)
	}
	if d.Note != "" {
		s.Detail += " Note: " + d.Note
	}
}

func (n *narrator) tellQualified(s *Step, what string, d logged) {
	s.Title, s.Reason = "Qualified", reason.Counted
	if d.Qualifying == nil {
		s.Detail = "The referral qualified."
		return
	}
	c := n.conversions[*d.Qualifying]
	minimum := n.facts.Rules.Qualification.MinimumAmount
	s.Detail = upper(sale(c)) + " qualified the referral: it occurred before the end of the window at " + when(n.referral.QualifyBy)
	if minimum > 0 {
		s.Detail += " and reached the minimum of " + money.Text(minimum, c.BaseCurrency)
	}
	s.Detail += "."
	if what == "reopened" {
		s.Title = "Qualified late"
		s.Detail += " It arrived after the window had closed, and facts count by the time at which they occurred."
	}
	s.Amounts = amounts(c.Currency, "sale", c.Amount)
	if taken, known := n.taken[c.ID]; known {
		s.Amounts = amounts(c.Currency, "sale", c.Amount, "net", c.Amount-taken)
	}
}

func (n *narrator) tellConversion(s *Step, what string, id uuid.UUID, d logged) {
	c := n.conversions[id]
	if what == "priced" {
		s.Title, s.Reason = "Exchange rate applied", reason.Counted
		s.Detail = upper(sale(c)) + " had waited for a rate. It stays " + d.Rate + ", by " + d.Source + ", whatever is refunded later."
		s.Amounts = append(amounts(c.Currency, "sale", c.Amount), amounts(c.BaseCurrency, "base", deref(c.BaseAmount))...)
		return
	}
	if what == "rate_refused" {
		s.Title, s.Reason = "Exchange rate refused", reason.FXRateMissing
		s.Detail = upper(sale(c)) + " would be too large in " + c.BaseCurrency + " at the newest rate. It waits for a newer one that holds when it occurred."
		s.Amounts = amounts(c.Currency, "sale", c.Amount)
		return
	}
	n.taken[id] = d.ReversedAmount
	left, part := money.Text(d.Amount-d.ReversedAmount, d.Currency)+" of "+money.Text(d.Amount, d.Currency)+" are left.", " in part. "
	if d.ReversedAmount == d.Amount {
		left, part = "Nothing is left.", " as a whole. "
	}
	switch what {
	case "recorded":
		s.Title, s.Detail = "Conversion recorded", upper(sale(c))+" occurred at "+when(c.OccurredAt)+". "+means(d.Reason)
		if d.ReversedAmount > 0 {
			s.Detail += " " + left
		}
	case "matched":
		s.Title, s.Detail = "Conversion matched", upper(sale(c))+" had waited for the referral. "+means(d.Reason)
	case "disqualified":
		s.Title, s.Detail = "Conversion disqualified", upper(sale(c))+" does not count. "+means(d.Reason)
	case "reversed":
		s.Title, s.Detail = "Conversion reversed", upper(sale(c))+" was undone"+part+means(d.Reason)+" "+left
	case "restored":
		s.Title, s.Detail = "Conversion restored", upper(sale(c))+" counts again. "+means(d.Reason)+" "+left
	default:
		s.Title, s.Detail = "Conversion changed", means(d.Reason)
	}
	s.Amounts = amounts(d.Currency, "sale", d.Amount, "reversed", d.ReversedAmount, "net", d.Amount-d.ReversedAmount)
}

// kinds of reversals, as people call them and as reasons.
var undone = map[settlement.Kind]struct {
	name string
	why  reason.Code
}{
	settlement.Refund:     {"Refund", reason.ReversedRefund},
	settlement.Chargeback: {"Chargeback", reason.ReversedChargeback},
	settlement.Fraud:      {"Fraud report", reason.ReversedFraud},
	settlement.ManualUndo: {"Manual reversal", reason.ReversedManual},
	settlement.DisputeWon: {"Dispute", reason.DisputeWon},
}

func (n *narrator) tellReversal(s *Step, id uuid.UUID, d logged) {
	row := n.reversals[id]
	kind := undone[settlement.Kind(row.Kind)]
	s.Title, s.Reason = kind.name, kind.why
	of := "the " + row.ConversionType + " " + row.ConversionExternalID
	c, known := n.conversionOf(row)
	name := kind.name + " " + row.ExternalID
	switch {
	case known && bytes.Compare(row.ID[:], c.ID[:]) < 0:
		s.Detail = name + " came before " + of + " and waited for it."
	case d.Taken < 0:
		s.Detail = name + " was won, which gives " + money.Text(-d.Taken, c.Currency) + " of " + of + " back."
		s.Amounts = amounts(c.Currency, "restored", -d.Taken)
	case d.Taken > 0:
		s.Detail = name + " took " + money.Text(d.Taken, c.Currency) + " of " + of + "."
		s.Amounts = amounts(c.Currency, "reversed", d.Taken)
	default:
		s.Detail = name + " changed nothing: nothing of " + of + " was left to undo, or it has no amount."
	}
}

func (n *narrator) conversionOf(r db.Reversal) (db.Conversion, bool) {
	for _, c := range n.conversions {
		if c.Source == r.Source && c.ExternalID == r.ConversionExternalID && c.Type == r.ConversionType {
			return c, true
		}
	}
	return db.Conversion{}, false
}

func (n *narrator) tellReward(s *Step, what string, id uuid.UUID, d logged) {
	w := n.rewards[id]
	before := n.reversed[id]
	n.reversed[id] = d.Reversed
	net := d.Granted - d.Reversed
	left := money.Text(net, d.Currency) + " of " + money.Text(d.Granted, d.Currency) + " are left."
	s.Amounts = amounts(d.Currency, "granted", d.Granted, "net", net)
	switch what {
	case "waiting":
		s.Title, s.Detail, s.Amounts = "Reward waits", means(d.Reason), []NamedAmount{}
	case "granted":
		n.tellGrant(s, w, d)
	case "available":
		s.Title, s.Reason = "Reward available", reason.Granted
		s.Detail = "Reward " + w.RuleKey + " has been available since " + when(w.AvailableAt) + ", when its hold ended."
	case "reversed", "cancelled":
		s.Title = map[string]string{"reversed": "Reward reversed in part", "cancelled": "Reward cancelled"}[what]
		s.Detail = means(d.Reason) + " " + left
		if !n.cut && d.Granted > 0 {
			s.Detail = means(d.Reason) + " That takes " + money.Text(d.Reversed-before, d.Currency) + " of the reward " + w.RuleKey + "; " + left
			s.Amounts = amounts(d.Currency, "granted", d.Granted, "reversed", d.Reversed-before, "net", net)
		}
	case "reinstated":
		s.Title, s.Detail = "Reward reinstated", means(d.Reason)+" "+left
		if !n.cut {
			s.Detail = means(d.Reason) + " That gives " + money.Text(before-d.Reversed, d.Currency) + " of the reward " + w.RuleKey + " back; " + left
			s.Amounts = amounts(d.Currency, "granted", d.Granted, "restored", before-d.Reversed, "net", net)
		}
	case "redeemed":
		s.Title, s.Detail = "Reward redeemed", money.Text(d.Amount, d.Currency)+" of the reward "+w.RuleKey+" were redeemed."
		s.Amounts = amounts(d.Currency, "redeemed", d.Amount, "left", net-d.Redeemed)
	case "unredeemed":
		s.Title, s.Detail = "Redemption voided", money.Text(d.Amount, d.Currency)+" of the reward "+w.RuleKey+" were given back."
		s.Amounts = amounts(d.Currency, "restored", d.Amount, "left", net-d.Redeemed)
	case "expired":
		s.Title, s.Detail = "Reward expired", "The time of the reward "+w.RuleKey+" was over, and "+money.Text(d.Amount, d.Currency)+" of it were left."
		s.Amounts = amounts(d.Currency, "expired", d.Amount)
	case "rerated":
		s.Title, s.Reason, s.Detail = "Reward rated again", reason.TierRerated, means(reason.TierRerated)+" "+upper(n.ground(w))+"."
	case "held":
		s.Title, s.Detail = "Reward held", "The reward "+w.RuleKey+" was put on hold by hand."
	case "released":
		s.Title, s.Detail = "Reward released", "The hold on the reward "+w.RuleKey+" was ended by hand."
	default:
		s.Title, s.Detail = "Reward changed", means(d.Reason)
	}
	if d.Note != "" {
		s.Detail += " Note: " + d.Note
	}
}

// partly are the reasons for a grant that is not what it would be without them.
var partly = []reason.Code{reason.CapPartial, reason.CapReached, reason.BudgetExhausted, reason.LevelCompressed}

func (n *narrator) tellGrant(s *Step, w db.Reward, d logged) {
	s.Title, s.Reason = "Reward granted", reason.Granted
	switch {
	case w.CauseKind == "manual":
		s.Reason = reason.Manual
	case d.Granted == 0:
		s.Title, s.Reason = "Nothing granted", d.Reason
	case slices.Contains(partly, d.Reason):
		s.Reason = d.Reason
	}
	n.reversed[w.ID] = 0
	s.Detail = upper(n.ground(w)) + "."
	if w.AvailableAt.After(s.At) {
		s.Detail += " It is on hold until " + when(w.AvailableAt) + "."
	}
	s.Amounts = amounts(d.Currency, "granted", d.Granted)
	if w.ConversionID != nil {
		c := n.conversions[*w.ConversionID]
		s.Amounts = append(amounts(c.Currency, "sale", c.Amount), s.Amounts...)
	}
}
