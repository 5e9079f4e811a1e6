package scenario

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// referred starts the fixture with B referred by A at t0.
func referred(t *testing.T, rules body) *world {
	t.Helper()
	w := newWorld(t)
	w.start(rules)
	_, a := w.code("A", "")
	w.signup("B", t0, "code", a).want(201, "attributed", true)
	return w
}

func TestAPurchaseMayArriveBeforeItsSignup(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	w.purchase("B", "o1", 10_000, t0).want(202, "conversion.state", "unmatched", "reason", "NO_REFERRAL")
	w.purchase("B", "o0", 10_000, t0.Add(-time.Hour)).want(202)
	w.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data.0.kind", "conversion")
	w.clock(t0.Add(10 * time.Minute))
	w.signup("B", t0.Add(-10*time.Minute), "code", a).want(201, "attributed", true)
	w.balance("A", 2000, 0)
	w.referral("B").want(200, "state", "qualified")
	reward := w.do("GET", "/v1/rewards?participant_id="+w.participant("A"), nil).want(200)
	if got := reward.str("data.0.available_at"); got != t0.Add(14*day).Format(time.RFC3339) {
		t.Errorf("available at %s", got)
	}
	list := w.do("GET", "/v1/conversions?state=disqualified", nil).want(200, "data.0.reason", "OCCURRED_BEFORE_SIGNUP", "data.0.external_id", "o0")
	if data, _ := list.get("data").([]any); len(data) != 1 {
		t.Errorf("disqualified: %s", list.raw)
	}
	w.standing()
}

func TestAnOrderCountsOnce(t *testing.T) {
	w := referred(t, fixture())
	b := w.purchaseBody("B", "o1", 10_000, t0)
	var mu sync.Mutex
	seen := map[int]int{}
	ids := map[string]bool{}
	fns := make([]func(), 5)
	for i := range fns {
		fns[i] = func() {
			got := w.do("POST", "/v1/conversions", b)
			mu.Lock()
			defer mu.Unlock()
			seen[got.status]++
			ids[got.str("conversion.id")] = true
		}
	}
	together(fns...)
	if seen[201] != 1 || seen[200] != 4 || len(ids) != 1 {
		t.Errorf("answers %v, ids %v", seen, ids)
	}
	w.balance("A", 2000, 0)
	w.purchase("B", "o1", 9_999, t0).want(409, "code", "conflict")
	w.standing()
}

func TestARefundMayArriveBeforeItsPurchase(t *testing.T) {
	w := referred(t, fixture())
	w.undo("refund", "o1", "r1", 4000, t0).want(202, "reversal.state", "unmatched")
	w.purchase("B", "o1", 10_000, t0).want(201, "conversion.state", "partially_reversed", "conversion.net_amount", 6000)
	w.balance("A", 1200, 0)
	w.balance("B", 1000, 0)
	w.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data", "[]")
	w.standing()
}

func TestARefundAndItsPurchaseAtTheSameMomentFindEachOther(t *testing.T) {
	w := referred(t, fixture())
	for i := range 10 {
		order := fmt.Sprintf("o%d", i)
		together(
			func() { w.purchase("B", order, 10_000, t0) },
			func() { w.undo("refund", order, "r"+order, 10_000, t0) },
		)
	}
	w.balance("A", 0, 0)
	w.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data", "[]")
	w.standing()
}

func TestFactsAreAcceptedWithinBounds(t *testing.T) {
	w := referred(t, fixture())
	for _, at := range []time.Time{t0.Add(-400 * day), t0.Add(10 * time.Minute), t0.Add(-30*day - time.Second)} {
		w.purchase("B", "o1", 10_000, at).want(422, "code", "occurred_at_out_of_range")
	}
	w.purchase("B", "o2", 10_000, t0.Add(5*time.Minute)).want(201)
}

func TestAFullRefundOpensTheWayToQualifyAgain(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 10_000, t0).want(201)
	w.clock(t0.Add(3 * day))
	w.undo("refund", "o1", "r1", 10_000, t0.Add(3*day)).want(201, "conversion.state", "reversed", "rewards.0.state", "cancelled")
	w.balance("A", 0, 0)
	w.balance("B", 0, 0)
	w.referral("B").want(200, "state", "attributed", "qualified_at", nil)
	w.purchase("B", "o2", 5_000, t0.Add(3*day)).want(201)
	w.balance("A", 1000, 0)
	w.balance("B", 1000, 0)
	w.referral("B").want(200, "state", "qualified")
	w.standing()
}

func TestPartialRefundsAddUpToTheGrant(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 9_999, t0).want(201, "rewards.0.granted", 2000)
	for i, left := range []int64{1333, 667, 0} {
		w.undo("refund", "o1", fmt.Sprintf("r%d", i), 3333, t0).want(201)
		w.balance("A", left, 0)
	}
	w.undo("refund", "o1", "r9", 1, t0).want(422, "code", "reversal_exceeds_conversion")
	w.standing()
}

func TestARefundOfMoreThanTheSaleChangesNothing(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 10_000, t0).want(201)
	w.undo("refund", "o1", "r1", 12_000, t0).want(422, "code", "reversal_exceeds_conversion")
	w.balance("A", 2000, 0)
	if w.count("reversals") != 0 {
		t.Error("the refused reversal was stored")
	}
	w.standing()
}

func TestAMaturedRewardIsTakenBackToo(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 10_000, t0).want(201)
	w.clock(t0.Add(14 * day))
	w.balance("A", 0, 2000)
	w.undo("refund", "o1", "r1", 5_000, t0.Add(14*day)).want(201)
	w.balance("A", 0, 1000)
	w.undo("refund", "o1", "r2", 0, t0.Add(14*day)).want(201, "reversal.applied_amount", 5000)
	w.balance("A", 0, 0)
	w.standing()
}

func TestAChargebackIsClampedAndADisputeRestoresWhatItTook(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 10_000, t0).want(201)
	w.undo("refund", "o1", "r1", 4_000, t0).want(201)
	cb := w.undo("chargeback", "o1", "cb1", 10_000, t0).want(201, "reversal.applied_amount", 6000, "conversion.state", "reversed")
	w.balance("A", 0, 0)
	won := w.do("POST", "/v1/reversals/"+cb.str("reversal.id")+"/dispute-won", body{"external_id": "won1"})
	won.want(200, "conversion.net_amount", 6000, "conversion.state", "partially_reversed")
	w.balance("A", 1200, 0)
	w.balance("B", 1000, 0)
	w.referral("B").want(200, "state", "qualified")
	w.do("POST", "/v1/reversals/"+cb.str("reversal.id")+"/dispute-won", body{"external_id": "won2"}).want(409, "code", "state_not_allowed")
	w.standing()
}

func TestChurnInsideItsWindowTakesEverythingBack(t *testing.T) {
	for _, c := range []struct {
		name      string
		at        time.Duration
		reinstate bool
		back      bool
		state     string
		left      int64
	}{
		{"at day 45", 45 * day, false, false, "churned", 0},
		{"at exactly day 60", 60 * day, false, false, "qualified", 2000},
		{"a second before day 60", 60*day - time.Second, false, false, "churned", 0},
		{"at day 45 and back at day 50", 45 * day, false, true, "qualified", 0},
		{"at day 45 and back at day 50 with reinstatement", 45 * day, true, true, "qualified", 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := fixture()
			rules["churn"] = body{"window_seconds": 60 * 86400, "reinstate_on_reactivation": c.reinstate}
			w := referred(t, rules)
			w.purchase("B", "o1", 10_000, t0).want(201)
			w.clock(t0.Add(c.at))
			w.do("POST", "/v1/churns", body{"program_id": w.program, "referee_external_id": "B", "external_id": "c1", "occurred_at": t0.Add(c.at)}).
				want(201)
			if c.back {
				at := t0.Add(50 * day)
				w.clock(at)
				w.do("POST", "/v1/reactivations", body{"program_id": w.program, "referee_external_id": "B", "external_id": "c2", "occurred_at": at}).
					want(201)
			}
			w.referral("B").want(200, "state", c.state)
			w.balance("A", 0, c.left)
			if c.state == "churned" {
				w.do("GET", "/v1/rewards?participant_id="+w.participant("A"), nil).want(200, "data.0.reason", "REVERSED_CHURN", "data.0.state", "cancelled")
			}
			w.standing()
		})
	}
}

func TestQualificationHasAMinimum(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 1_999, t0).want(201, "reason", "BELOW_MINIMUM", "rewards", "[]")
	w.purchase("B", "o2", 2_000, t0.Add(time.Minute)).want(201, "rewards.0.granted", 400)
	w.balance("A", 400, 0)
	w.balance("B", 1000, 0)
	w.standing()
}

func TestTheQualificationWindowIsHalfOpen(t *testing.T) {
	late := referred(t, fixture())
	late.clock(t0.Add(90 * day))
	late.referral("B").want(200, "state", "expired", "reason", "QUALIFICATION_WINDOW_EXPIRED")
	late.purchase("B", "o1", 10_000, t0.Add(90*day)).want(201, "reason", "QUALIFICATION_WINDOW_EXPIRED", "rewards", "[]")
	late.purchase("B", "o2", 10_000, t0.Add(90*day-time.Second)).want(201, "rewards.0.granted", 2000)
	late.referral("B").want(200, "state", "qualified")
	late.standing()
}

func TestAReferralCanBeGivenToAnotherReferrer(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 10_000, t0).want(201)
	_, c := w.code("C", "")
	old := w.referral("B").str("id")
	got := w.do("POST", "/v1/referrals/"+old+"/reattribute", body{"code": c, "reason": "support ticket"}).want(201, "attributed", true)
	w.do("GET", "/v1/referrals/"+old, nil).want(200, "state", "superseded")
	w.do("GET", "/v1/referrals/"+got.str("referral_id"), nil).want(200, "state", "qualified")
	w.balance("A", 0, 0)
	w.balance("C", 2000, 0)
	w.balance("B", 1000, 0)
	w.purchase("B", "o2", 1_000, t0.Add(time.Minute)).want(201, "rewards.0.granted", 200)
	w.balance("C", 2200, 0)
	w.standing()
}

func TestARejectedReferralPaysNothingMore(t *testing.T) {
	w := referred(t, fixture())
	w.purchase("B", "o1", 10_000, t0).want(201)
	id := w.referral("B").str("id")
	w.do("POST", "/v1/referrals/"+id+"/reject", body{"reason": "looks wrong"}).want(200, "state", "rejected")
	w.balance("A", 0, 0)
	w.balance("B", 0, 0)
	w.purchase("B", "o2", 10_000, t0.Add(time.Minute)).want(201, "conversion.state", "disqualified", "reason", "REFERRAL_REJECTED", "rewards", "[]")
	w.do("POST", "/v1/referrals/"+id+"/reject", body{"reason": "again"}).want(409, "code", "state_not_allowed")
	w.standing()
}

func TestARewardHeldByHandWaits(t *testing.T) {
	w := referred(t, fixture())
	id := w.purchase("B", "o1", 10_000, t0).want(201).str("rewards.0.id")
	w.do("POST", "/v1/rewards/"+id+"/hold", body{"reason": "looking"}).want(200, "state", "held")
	w.clock(t0.Add(20 * day))
	w.balance("A", 2000, 0)
	w.undo("refund", "o1", "r1", 5_000, t0.Add(20*day)).want(201)
	w.balance("A", 1000, 0)
	w.do("POST", "/v1/rewards/"+id+"/release", nil).want(200, "state", "available", "net", 1000)
	w.balance("A", 0, 1000)
	w.do("POST", "/v1/rewards/"+id+"/hold", body{"reason": "again"}).want(200, "state", "held")
	w.balance("A", 1000, 0)
	w.do("POST", "/v1/rewards/"+id+"/cancel", body{"reason": "no"}).want(200, "state", "cancelled")
	w.balance("A", 0, 0)
	w.standing()
}
