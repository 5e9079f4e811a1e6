package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// refer names the referrer of a referee by hand.
func (p *play) refer(referrer, referee string) (*client.CreateReferralResult, error) {
	return p.CreateReferralWithResponse(p.w.Context(), &client.CreateReferralParams{}, client.NewReferral{
		ProgramID: p.program.ID, ReferrerExternalID: referrer, RefereeExternalID: referee, Reason: "told on the phone",
	})
}

// tree refers by hand, "a>b" means that a referred b.
func (p *play) tree(edges string) {
	p.w.Helper()
	for _, edge := range strings.Fields(edges) {
		referrer, referee, _ := strings.Cut(edge, ">")
		if res := must[*client.CreateReferralResult](p.w)(p.refer(referrer, referee)); res.JSON201 == nil {
			p.w.Fatalf("%s: %s", edge, res.Body)
		}
	}
}

func (p *play) upline(who string) string {
	p.w.Helper()
	res := must[*client.GetUplineResult](p.w)(p.GetUplineWithResponse(p.w.Context(), p.participant(who).ID, &client.GetUplineParams{ProgramID: p.program.ID}))
	var names []string
	for i, m := range res.JSON200.Data {
		if m.Level != int64(i+1) {
			p.w.Errorf("%s is on level %d, want %d", m.ExternalID, m.Level, i+1)
		}
		names = append(names, m.ExternalID)
	}
	return strings.Join(names, " ")
}

// downline reads all pages.
func (p *play) downline(who string, depth, limit int64) (out []client.DownlineMember) {
	p.w.Helper()
	params := client.ListDownlineParams{ProgramID: p.program.ID, Depth: &depth, Limit: &limit}
	for {
		page := must[*client.ListDownlineResult](p.w)(p.ListDownlineWithResponse(p.w.Context(), p.participant(who).ID, &params)).JSON200
		out = append(out, page.Data...)
		if !page.HasMore {
			return out
		}
		if len(page.Data) != int(limit) {
			p.w.Fatalf("a page of %d has %d, and more follow", limit, len(page.Data))
		}
		next := page.NextCursor.MustGet()
		params.Cursor = &next
	}
}

func (p *play) downlineOf(who string, depth, limit int64) string {
	p.w.Helper()
	var out []string
	for _, m := range p.downline(who, depth, limit) {
		more := ""
		if m.HasReferees {
			more = "+"
		}
		out = append(out, fmt.Sprintf("%s%d%s", m.ExternalID, m.Level, more))
	}
	return strings.Join(out, " ")
}

func (p *play) statistics(who string) client.TreeStatistics {
	p.w.Helper()
	return *must[*client.GetTreeStatisticsResult](p.w)(p.GetTreeStatisticsWithResponse(p.w.Context(), p.participant(who).ID,
		&client.GetTreeStatisticsParams{ProgramID: p.program.ID})).JSON200
}

func TestTreeIsReadFromEverywhere(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.tree("alice>b alice>c b>d c>e c>f e>g alice>h")
	p.buy("c", "1", 5000, nil)
	p.buy("g", "2", 5000, nil)
	for who, want := range map[string]string{"g": "e c alice", "d": "b alice", "alice": "", "carol": ""} {
		if got := p.upline(who); got != want {
			t.Errorf("above %s: %q, want %q", who, got, want)
		}
	}
	for depth, want := range map[int64]string{
		1: "b1+ c1+ h1", 2: "b1+ d2 c1+ e2+ f2 h1", 10: "b1+ d2 c1+ e2+ g3 f2 h1",
	} {
		for limit := range int64(8) {
			if got := p.downlineOf("alice", depth, limit+1); got != want {
				t.Errorf("below alice to depth %d, by %d: %q, want %q", depth, limit+1, got, want)
			}
		}
	}
	if got := p.downlineOf("e", 10, 50); got != "g1" {
		t.Errorf("below e: %q", got)
	}
	if s := p.statistics("alice"); s.DirectReferees != 3 || s.Referees != 7 || s.Qualified != 2 || s.Above != 0 || !s.Complete ||
		!slices.Equal(s.Levels, []client.TreeLevelCounts{{Level: 1, Referees: 3, Qualified: 1}, {Level: 2, Referees: 3}, {Level: 3, Referees: 1, Qualified: 1}}) {
		t.Errorf("the tree of alice counts %+v", s)
	}
	if s := p.statistics("g"); s.Referees != 0 || s.Above != 3 || len(s.Levels) != 0 || !s.Complete {
		t.Errorf("the tree of g counts %+v", s)
	}
	c := p.downline("alice", 1, 50)[1]
	must[*client.RejectReferralResult](t)(p.RejectReferralWithResponse(t.Context(), c.ReferralID, &client.RejectReferralParams{}, client.ActionReason{Reason: "a mistake"}))
	if got := p.upline("g"); got != "e c" {
		t.Errorf("above g without c: %q", got)
	}
	if got := p.downlineOf("alice", 10, 2); got != "b1+ d2 h1" {
		t.Errorf("below alice without c: %q", got)
	}
}

func TestTreeOfUnknown(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	alice, nobody := p.participant("alice").ID, uuid.New()
	for _, who := range []uuid.UUID{nobody, alice} {
		code := client.ProblemCodeNotFound
		if who == alice {
			code = client.ProblemCodeUnknownReference
		}
		refused[*client.GetUplineResult](t, code, "")(p.GetUplineWithResponse(t.Context(), who, &client.GetUplineParams{ProgramID: nobody}))
		refused[*client.ListDownlineResult](t, code, "")(p.ListDownlineWithResponse(t.Context(), who, &client.ListDownlineParams{ProgramID: nobody}))
		refused[*client.GetTreeStatisticsResult](t, code, "")(p.GetTreeStatisticsWithResponse(t.Context(), who, &client.GetTreeStatisticsParams{ProgramID: nobody}))
	}
}

// A chain is as long as it is; only ten levels of it are read.
func TestLongChain(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	var edges []string
	last := "alice"
	for i := range 13 {
		next := fmt.Sprint("n", i)
		edges, last = append(edges, last+">"+next), next
	}
	p.tree(strings.Join(edges, " "))
	if got := p.upline(last); got != "n11 n10 n9 n8 n7 n6 n5 n4 n3 n2" {
		t.Errorf("above the last: %q", got)
	}
	if s := p.statistics(last); s.Above != 13 {
		t.Errorf("%d are above the last, want 13", s.Above)
	}
	if got := p.downline("alice", 10, 3); len(got) != 10 || got[9].ExternalID != "n9" || !got[9].HasReferees {
		t.Errorf("below alice: %v", got)
	}
}

// A referral says until when it was part of the tree.
func TestReferralsEnd(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	start := time.Now().UTC().Truncate(time.Second).Add(time.Minute)
	p.moveClock(start)
	p.tree("alice>b alice>c alice>d")
	ends := func(what, want string) {
		t.Helper()
		var got *time.Time
		if err := p.w.database.Owner(t).QueryRow(t.Context(), `SELECT ended_at FROM referrals WHERE referee_id = $1 ORDER BY id LIMIT 1`, p.participant(what).ID).Scan(&got); err != nil {
			t.Fatal(err)
		}
		text := ""
		if got != nil {
			text = got.Sub(start).String()
		}
		if text != want {
			t.Errorf("%s ended after %q, want %q", what, text, want)
		}
	}
	ends("b", "")
	p.moveClock(start.Add(time.Hour))
	members := p.downline("alice", 1, 50)
	must[*client.RejectReferralResult](t)(p.RejectReferralWithResponse(t.Context(), members[0].ReferralID, &client.RejectReferralParams{}, client.ActionReason{Reason: "a mistake"}))
	must[*client.ReattributeReferralResult](t)(p.ReattributeReferralWithResponse(t.Context(), members[1].ReferralID, &client.ReattributeReferralParams{},
		client.NewReattribution{ReferrerExternalID: ptr("carol"), Reason: "a mistake"}))
	ends("b", "1h0m0s")
	ends("c", "1h0m0s")
	p.moveClock(start.AddDate(0, 0, 100))
	ends("d", "2160h0m0s") // its window of 90 days
	at := start.AddDate(0, 0, 80)
	p.buy("d", "late", 5000, func(n *client.NewConversion) { n.OccurredAt = &at })
	ends("d", "")
}
