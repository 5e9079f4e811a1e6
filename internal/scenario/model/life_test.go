package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

const day = 24 * time.Hour

// fact is one thing that happened, at a time after the beginning of the life. Which fields it has depends on its kind.
type fact struct {
	kind, ref string // click, signup, conversion, reversal, churn, return; rate: of the currency that is its ref
	who       string // it is about
	at        time.Duration

	code   string   // of a click, and typed at the signup: whose it is
	clicks []string // that the signup names

	sort     string // of a conversion
	amount   int64
	currency string // the program's without one

	of       string // the conversion that is undone
	undo     settlement.Kind
	asks     int64  // 0 is all that is left
	restores string // the chargeback that a dispute was about
}

// String is for who reads of a failure.
func (f fact) String() string {
	out := fmt.Sprint(f.kind, " ", f.ref, " at ", f.at)
	for _, part := range []any{f.who, f.code, f.sort, f.amount, f.currency, f.of, f.undo, f.asks, f.restores} {
		if text := fmt.Sprint(part); text != "" && text != "0" {
			out += " " + text
		}
	}
	return out + "\n"
}

// life is what happens around one referee B, whom A or C may have referred: A has two levels above, C nobody. The program ends at ends,
// if ever. A company is told as one life of many.
type life struct {
	who       string
	tree      map[string]branch
	rules     rules.Document
	began     time.Time
	ends      *time.Duration
	honor     time.Duration
	until     time.Duration // when everything has arrived
	facts     []fact
	signup    time.Duration
	qualifyBy time.Duration
	patient   bool // the referral neither churns nor expires
	strict    bool // what is due is done at once, and those above are there first
}

func someLife(t *rapid.T) life {
	l := someBeginning(t, someRules(t))
	l.who, l.tree, l.signup = "B", map[string]branch{"A": {by: "F"}, "F": {by: "G"}}, 5*day
	if l.patient = l.rules.Churn == nil && rapid.IntRange(0, 2).Draw(t, "patient") > 0; l.patient {
		l.rules.Qualification.WindowSeconds *= 40
	}
	l.qualifyBy = l.signup + l.window()
	if rapid.IntRange(0, 9).Draw(t, "ends") == 9 {
		ends := l.signup + rapid.SampledFrom([]time.Duration{-time.Hour, 0, time.Hour, 9 * day}).Draw(t, "end")
		l.ends = &ends
	}
	l.join(t)
	l.convert(t)
	l.leave(t)
	for i := range l.facts {
		l.facts[i].who = l.who
	}
	last := slices.MaxFunc(l.facts, func(a, b fact) int { return cmp.Compare(a.at, b.at) })
	l.until = last.at + rapid.SampledFrom([]time.Duration{time.Minute, 3 * day, 30 * day}).Draw(t, "until")
	return l
}

// someBeginning is a life without facts.
func someBeginning(t *rapid.T, d rules.Document) life {
	return life{rules: d, honor: 2 * day, began: rapid.SampledFrom([]time.Time{
		time.Date(2031, 1, 25, 9, 30, 0, 0, time.UTC), time.Date(2031, 5, 3, 0, 0, 0, 0, time.UTC), // five days later it is 30 January, or not
	}).Draw(t, "began")}
}

// terms are the rules, for who reads of a failure.
func (l life) terms() string {
	text, err := json.Marshal(l.rules)
	return fmt.Sprint(string(text), err)
}

// window is how long a referral may wait for its qualification.
func (l life) window() time.Duration {
	return time.Duration(l.rules.Qualification.WindowSeconds) * time.Second
}

func someRules(t *rapid.T) rules.Document {
	d := rules.Default()
	window := int64(day / time.Second)
	d.Attribution.WindowSeconds = window
	d.Attribution.Model = rapid.SampledFrom([]rules.Model{rules.LastTouch, rules.FirstTouch}).Draw(t, "model")
	d.Attribution.CodePrecedence = rapid.SampledFrom([]rules.Precedence{rules.CodeFirst, rules.ClickFirst}).Draw(t, "precedence")
	d.Qualification = rules.Qualification{
		ConversionTypes: []string{"purchase"}, MinimumAmount: rapid.SampledFrom([]int64{0, 2000}).Draw(t, "minimum"), WindowSeconds: 10 * window,
		RevokeOnReversal: rapid.IntRange(0, 3).Draw(t, "revoke") > 0,
	}
	months := 1
	share := rules.RewardRule{Key: "share", Triggers: []string{"purchase", "renewal"}, Beneficiary: rules.Referrer, Kind: "money"}
	share.Amount = rules.Amount{Type: rules.BasisPoints, Value: rapid.SampledFrom([]int64{1, 333, 1250, 2000, 8000}).Draw(t, "share")}
	share.HoldSeconds = rapid.SampledFrom([]int64{0, 61, 5 * window}).Draw(t, "hold")
	share.MinimumAmount = rapid.SampledFrom([]int64{0, 0, 3000}).Draw(t, "order value")
	if rapid.Bool().Draw(t, "months") {
		share.DurationMonths = &months
	}
	d.Rewards = []rules.RewardRule{share,
		{Key: "welcome", Triggers: []string{"qualified"}, Beneficiary: rules.Referee, Kind: "credit", Amount: rules.Amount{Type: rules.Fixed, Value: 500}},
		{Key: "renewed", Triggers: []string{"renewal"}, Beneficiary: rules.Referrer, Kind: "money", Amount: rules.Amount{Type: rules.Fixed, Value: 55}, HoldSeconds: 1},
		{Key: "first", Triggers: []string{"qualified"}, Beneficiary: rules.Referee, Kind: "money", Amount: rules.Amount{Type: rules.BasisPoints, Value: 777}},
		{Key: "joined", Triggers: []string{"signup"}, Beneficiary: rules.Referrer, Kind: "money", Amount: rules.Amount{Type: rules.Fixed, Value: 70}, HoldSeconds: window},
	}
	d.Rewards = d.Rewards[:rapid.IntRange(1, len(d.Rewards)).Draw(t, "rules")]
	if rapid.Bool().Draw(t, "occurrence") {
		d.Rewards[0].Occurrence = rapid.SampledFrom([]rules.Occurrence{rules.FirstOccurrence, rules.LaterOccurrence}).Draw(t, "which")
	}
	if someIncentives(t, &d); len(d.Validate()) > 0 { // the shares are more than the sale
		d.Rewards[0].Amount.Value = 1250
	}
	if rapid.IntRange(0, 2).Draw(t, "churn") < 2 {
		d.Churn = &rules.Churn{WindowSeconds: 7 * window, ReinstateOnReactivation: rapid.Bool().Draw(t, "reinstate")}
	}
	return d
}

// someIncentives adds levels and a milestone.
func someIncentives(t *rapid.T, d *rules.Document) {
	for level := 2; level <= rapid.IntRange(1, 3).Draw(t, "levels"); level++ {
		rule := rules.RewardRule{Key: fmt.Sprint("level", level), Triggers: []string{"purchase", "renewal"}, Beneficiary: rules.Upline, Level: &level, Kind: "money"}
		rule.Amount = rules.Amount{Type: rules.BasisPoints, Value: rapid.SampledFrom([]int64{1, 499}).Draw(t, "level share")}
		if rapid.Bool().Draw(t, "of commission") {
			rule.Amount.Type, rule.Amount.Value, rule.Occurrence = rules.CommissionPoints, 1111, d.Rewards[0].Occurrence
			rule.MinimumAmount, rule.DurationMonths = d.Rewards[0].MinimumAmount, d.Rewards[0].DurationMonths
		}
		d.Rewards = append(d.Rewards, rule)
	}
	if rapid.Bool().Draw(t, "milestone") {
		d.Milestones = []rules.Milestone{{
			Key: "one", Measure: rules.MeasureQualified, Period: rules.Lifetime, Threshold: 1, Kind: "points", Amount: 9, Reversible: true,
		}}
	}
}

// join makes the touches and the signup.
func (l *life) join(t *rapid.T) {
	s := fact{kind: "signup", ref: "s", at: l.signup}
	for i := range rapid.IntRange(0, 3).Draw(t, "clicks") {
		c := fact{kind: "click", ref: fmt.Sprintf("k%d", i), code: rapid.SampledFrom([]string{"A", "C"}).Draw(t, "whose")}
		c.at = l.signup - rapid.SampledFrom([]time.Duration{
			-time.Microsecond, 0, time.Hour, day - time.Microsecond, day, 2 * day,
		}).Draw(t, "before") - time.Duration(i)*3*time.Microsecond // no two at once
		l.facts, s.clicks = append(l.facts, c), append(s.clicks, c.ref)
	}
	if len(s.clicks) == 0 || rapid.IntRange(0, 2).Draw(t, "typed") == 0 {
		s.code = rapid.SampledFrom([]string{"A", "C"}).Draw(t, "whose")
	}
	l.facts = append(l.facts, s)
}

// convert makes purchases and renewals with what is taken back of them.
func (l *life) convert(t *rapid.T) {
	edge := l.qualifyBy
	if l.patient {
		edge = l.signup + 10*day
	}
	month := addMonth(l.began.Add(l.signup + time.Hour)).Sub(l.began)
	for i := range rapid.SampledFrom([]int{1, 2, 3, 4, 0}).Draw(t, "conversions") {
		c := fact{kind: "conversion", ref: fmt.Sprintf("o%d", i)}
		c.sort = rapid.SampledFrom([]string{"purchase", "purchase", "purchase", "renewal", "extra"}).Draw(t, "type")
		c.amount = rapid.SampledFrom([]int64{12_345, 9999, 5000, 3000, 2999, 2000, 1999, 1}).Draw(t, "amount")
		c.at = rapid.SampledFrom([]time.Duration{
			l.signup + time.Hour, l.signup + time.Hour, l.signup, l.signup + 3*day, l.signup + 4*day, l.signup + 6*day, l.signup - time.Microsecond,
			edge - time.Microsecond, edge, month - time.Microsecond, month, l.signup + l.honor, l.signup + l.honor - time.Microsecond,
		}).Draw(t, "converted")
		if l.tree == nil && rapid.IntRange(0, 3).Draw(t, "abroad") == 0 {
			c.currency = rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency")
		}
		l.facts = append(l.facts, c)
		l.takeBack(t, c)
	}
}

// takeBack makes reversals that are possible one after the other as they occur: no refund is larger than what is left then.
func (l *life) takeBack(t *rapid.T, c fact) {
	left, at := c.amount, c.at
	took := map[string]int64{}
	for i := range rapid.SampledFrom([]int{0, 1, 2, 0, 3, 1, 4}).Draw(t, "reversals") {
		at += rapid.SampledFrom([]time.Duration{2 * day, time.Hour, time.Hour, time.Microsecond, 8 * day}).Draw(t, "after")
		r := fact{kind: "reversal", ref: fmt.Sprintf("%s-r%d", c.ref, i), at: at, of: c.ref, sort: c.sort}
		r.undo = rapid.SampledFrom([]settlement.Kind{"refund", "refund", "chargeback", "chargeback", "dispute_won", "dispute_won", "manual"}).Draw(t, "kind")
		switch {
		case r.undo == "dispute_won":
			for ref := range took { // at most one is open
				r.restores = ref
			}
			if r.restores == "" {
				continue
			}
			left += took[r.restores]
			delete(took, r.restores)
		case r.undo == "refund" && left == 0, r.undo == "chargeback" && len(took) > 0:
			continue
		default:
			most := c.amount + 10
			if r.undo == "refund" {
				most = left
			}
			if rapid.Bool().Draw(t, "part") {
				r.asks = rapid.Int64Range(1, most).Draw(t, "asks")
			}
			taken := min(left, r.asks)
			if r.asks == 0 {
				taken = left
			}
			left -= taken
			if r.undo == "chargeback" {
				took[r.ref] = taken
			}
		}
		l.facts = append(l.facts, r)
	}
}

// leave makes departures and returns.
func (l *life) leave(t *rapid.T) {
	if l.rules.Churn == nil {
		return
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "churns") {
		f := fact{kind: rapid.SampledFrom([]string{"churn", "churn", "return"}).Draw(t, "churn"), ref: fmt.Sprintf("l%d", i)}
		from := rapid.SampledFrom(l.facts).Draw(t, "from").at
		f.at = from + rapid.SampledFrom([]time.Duration{time.Second, -time.Second, time.Hour, day, 7*day - time.Microsecond, 7 * day}).Draw(t, "later")
		if !slices.ContainsFunc(l.facts, func(g fact) bool { return g.at == f.at && (g.kind == "churn" || g.kind == "return") }) {
			l.facts = append(l.facts, f)
		}
	}
}

// addMonth is the same time a month later, on the last day where that month is shorter.
func addMonth(t time.Time) time.Time {
	next := t.AddDate(0, 1, 0)
	if next.Day() != t.Day() {
		next = next.AddDate(0, 0, -next.Day())
	}
	return next
}
