package attribution

import (
	"slices"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// lost is the reason of an eligible touch that another one beat, by the policy.
const lost = reason.Superseded

// Decide answers who gets the referee, by the questions of the package in their order. A click counts in [click, click + window), in
// seconds; a code is judged by what it was at the time of the touch.
func Decide(in Inputs) Answer {
	out := Answer{Candidates: judge(in)}
	if p, ok := in.Program.At(in.OccurredAt); !ok || state.Program(p.State) != state.ProgramActive {
		return out.refuse(reason.ProgramNotActive)
	}
	if in.Referee.Erased {
		return out.refuse(reason.Erased)
	}
	if in.Referee.LiveReferralID != "" && in.Door != DoorReattribution {
		return out.refuse(reason.AlreadyAttributed)
	}
	order := ranked(in)
	win := slices.IndexFunc(order, func(i int) bool { return out.Candidates[i].Eligible })
	if win < 0 {
		return out.refuse(whyNone(order, out.Candidates))
	}
	best := order[win]
	c := &out.Candidates[best]
	if c.Reason = refusal(in.Referee, in.Touches[best]); c.Reason == "" {
		c.Won, c.Reason = true, accepted(*c, in.Policy.Model)
		out.Attributed, out.ReferrerID, out.CodeID = true, c.ReferrerID, c.CodeID
	}
	out.Reason = c.Reason
	return out.explain(lost)
}

// refuse ends before any touch was chosen.
func (a Answer) refuse(why reason.Code) Answer {
	a.Reason = why
	return a.explain(why)
}

// explain gives a reason to the eligible touches that have none yet.
func (a Answer) explain(why reason.Code) Answer {
	for i := range a.Candidates {
		if a.Candidates[i].Reason == "" {
			a.Candidates[i].Reason = why
		}
	}
	return a
}

// refusal returns why the best touch does not get the referee, or the empty reason.
func refusal(referee Referee, best Touch) reason.Code {
	switch r := best.Referrer; {
	case r.ID == referee.ID:
		return reason.SelfReferral
	case r.SameEmail:
		return reason.SelfReferralAlias
	case referee.CustomerSince != nil && referee.CustomerSince.Before(best.At):
		return reason.ExistingCustomer
	case r.State != state.ParticipantActive, r.BelowReferee:
		return reason.ReferrerIneligible
	}
	return ""
}

// accepted names the rule by which a touch won.
func accepted(c Candidate, model rules.Model) reason.Code {
	switch {
	case c.Kind == Typed:
		return reason.AttributedExplicitCode
	case c.Kind != Click:
		return reason.AttributedManual
	case model == rules.FirstTouch:
		return reason.AttributedFirstTouch
	}
	return reason.AttributedLastTouch
}

// judge says of every touch whether it may count, and why not.
func judge(in Inputs) []Candidate {
	out := make([]Candidate, len(in.Touches))
	for i, t := range in.Touches {
		c := Candidate{Kind: t.Kind, ID: t.ID, At: t.At}
		if t.Code != nil {
			c.CodeID = t.Code.ID
		}
		if t.Referrer != nil {
			c.ReferrerID = t.Referrer.ID
		}
		c.Reason = fault(in, t)
		c.Eligible = c.Reason == ""
		out[i] = c
	}
	return out
}

// fault returns why a touch may not count, or the empty reason.
func fault(in Inputs, t Touch) reason.Code {
	if t.Kind == Manual || t.Kind == Import {
		return ""
	}
	if t.Code == nil || t.Referrer == nil {
		if t.Kind == Click {
			return reason.ClickNotFound
		}
		return reason.CodeNotFound
	}
	if t.Code.ProgramID != in.ProgramID {
		return reason.CodeNotFound
	}
	if t.Kind == Click {
		if why := clickFault(in, t); why != "" {
			return why
		}
	}
	return codeFault(*t.Code, t.At)
}

func clickFault(in Inputs, t Touch) reason.Code {
	switch {
	case t.Classification == "bot" || t.Classification == "prefetch":
		return reason.BotTouchOnly
	case t.Classification == "repeat" && repeats(in.Touches, t):
		return reason.DuplicateTouch
	case t.Consent == "denied" || (in.Policy.RequireConsent && t.Consent != "granted"):
		return reason.ConsentMissing
	case t.At.After(in.OccurredAt), !in.OccurredAt.Before(t.At.Add(time.Duration(in.Policy.WindowSeconds) * time.Second)):
		return reason.WindowExpired
	}
	return ""
}

// repeats reports whether the click that a repeat repeats is a candidate as well. A repeat alone stands for it: the visitor may
// have landed with the later id only.
func repeats(touches []Touch, repeat Touch) bool {
	return slices.ContainsFunc(touches, func(t Touch) bool {
		return t.Kind == Click && t.Classification == "human" && t.Code != nil && t.Code.ID == repeat.Code.ID && !t.At.After(repeat.At)
	})
}

// codeFault judges a code by its state at the time of the touch. A code disabled for fraud, even later, honours nothing.
func codeFault(c Code, at time.Time) reason.Code {
	if fraudulent(c.Timeline) {
		return reason.CodeDisabled
	}
	then, known := c.Timeline.At(at)
	switch {
	case !known, c.StartsAt != nil && at.Before(*c.StartsAt):
		return reason.CodeNotStarted
	case state.Code(then.State) != state.CodeActive:
		return reason.CodeDisabled
	case c.ExpiresAt != nil && !at.Before(*c.ExpiresAt):
		return reason.CodeExpired
	case c.Exhausted:
		return reason.CodeExhausted
	}
	return ""
}

// fraudulent reports whether a code was disabled for fraud and not enabled since. Retiring it does not clear it.
func fraudulent(tl state.Timeline) bool {
	for _, p := range slices.Backward(tl) {
		if p.Reason == "fraud" {
			return true
		}
		if state.Code(p.State) == state.CodeActive {
			return false
		}
	}
	return false
}

// ranked orders the touches, best first: what a person named by hand, then typed codes and clicks as the policy says, and
// among clicks the latest or the earliest. Ties go to the smaller id, so that the order does not depend on the storage.
func ranked(in Inputs) []int {
	class := func(t Touch) int {
		switch {
		case t.Kind == Manual || t.Kind == Import:
			return 0
		case (t.Kind == Typed) == (in.Policy.CodePrecedence != rules.ClickFirst):
			return 1
		}
		return 2
	}
	order := make([]int, len(in.Touches))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := in.Touches[i], in.Touches[j]
		if d := class(a) - class(b); d != 0 {
			return d
		}
		d := a.At.Compare(b.At)
		if in.Policy.Model != rules.FirstTouch {
			d = -d
		}
		if d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return order
}

// whyNone picks the reason of a decision without an eligible touch: that of the best touch that a person is known to have
// made in this program, else that the touches were repeats, else machines. A click that is not stored, or that belongs to
// another program, is as good as none.
func whyNone(order []int, candidates []Candidate) reason.Code {
	why := reason.NoTouch
	for _, i := range order {
		switch c := candidates[i]; {
		case c.Reason == reason.DuplicateTouch:
			why = c.Reason
		case c.Reason == reason.BotTouchOnly && why == reason.NoTouch:
			why = c.Reason
		case c.Reason == reason.BotTouchOnly, c.Reason == reason.ClickNotFound, c.Reason == reason.CodeNotFound && c.Kind == Click:
		default:
			return c.Reason
		}
	}
	return why
}
