package scenario

import (
	"fmt"
	"testing"
)

// ring has everybody of a circle referred by the one before at the same moment, each by another client, through one of the doors.
// Whatever the order, every edge but the last is made, and that one is refused.
func (w *world) ring(name string, size int, door func(i int) string) {
	w.t.Helper()
	person := func(i int) string { return fmt.Sprintf("%s-%d", name, i%size) }
	edges := make([]func() answer, size)
	for i := range size {
		referrer, referee := person(i), person(i+1)
		switch door(i) {
		case "signup":
			_, code := w.code(referrer, "")
			signup := w.signupBody(referee, t0, "code", code)
			edges[i] = func() answer { return w.do("POST", "/v1/signups", signup) }
		case "manual":
			edges[i] = func() answer { return w.link(referrer, referee) }
		case "reattribution":
			w.link("origin-of-"+referee, referee).want(201)
			path := "/v1/referrals/" + w.referral(referee).str("id") + "/reattribute"
			edges[i] = func() answer {
				return w.do("POST", path, body{"referrer_external_id": referrer, "reason": "by hand"})
			}
		}
	}
	answers := make([]answer, size)
	calls := make([]func(), size)
	for i, edge := range edges {
		calls[i] = func() { answers[i] = edge() }
	}
	together(calls...)
	refused := 0
	for _, a := range answers {
		switch {
		case a.status == 201 && a.get("attributed") == true:
		case a.status == 409 && a.str("code") == "cycle_detected", a.status == 201 && a.str("reason") == "REFERRER_INELIGIBLE":
			refused++
		default:
			w.t.Errorf("%s: an edge was answered %d %s", name, a.status, a.raw)
		}
	}
	if refused != 1 {
		w.t.Errorf("%s: %d edges were refused, want 1", name, refused)
	}
}

// link refers by hand, and makes both where they are unknown.
func (w *world) link(referrer, referee string) answer {
	w.t.Helper()
	return w.do("POST", "/v1/referrals", body{
		"program_id": w.program, "referrer_external_id": referrer, "referee_external_id": referee, "reason": "by hand",
	})
}

func TestNoRingIsClosedByRacingClients(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	const rounds = 3
	doors := []string{"signup", "manual", "reattribution"}
	for size := 2; size <= 6; size++ {
		for i := range size {
			for round := range rounds {
				for _, door := range append(doors, "mixed") {
					for _, who := range []string{"", "origin-of-"} {
						w.do("POST", "/v1/participants", body{"external_id": fmt.Sprintf("%s%s-%d-%d-%d", who, door, size, round, i)}).want(201)
					}
				}
			}
		}
		for round := range rounds {
			for _, door := range doors {
				w.ring(fmt.Sprintf("%s-%d-%d", door, size, round), size, func(int) string { return door })
			}
			w.ring(fmt.Sprintf("mixed-%d-%d", size, round), size, func(i int) string { return doors[(i+round)%len(doors)] })
		}
	}
	w.standing()
}
