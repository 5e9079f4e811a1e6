package server

import (
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func (c caller) erase(who string, change func(*client.NewErasureRequest)) (*client.CreateErasureRequestResult, error) {
	n := client.NewErasureRequest{ParticipantExternalID: who}
	if change != nil {
		change(&n)
	}
	return c.CreateErasureRequestWithResponse(c.w.Context(), &client.CreateErasureRequestParams{}, n)
}

func disposition(d client.Disposition) func(*client.NewErasureRequest) {
	return func(n *client.NewErasureRequest) { n.Disposition = &d }
}

func (c caller) participantByID(id uuid.UUID) client.Participant {
	c.w.Helper()
	return *must[*client.GetParticipantResult](c.w)(c.GetParticipantWithResponse(c.w.Context(), id)).JSON200
}

// rich is a play in which Bob came through Alice and bought for 250 dollars, and Alice has 50 available.
func rich(t *testing.T) *play {
	p := startPlay(t, nil)
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	p.buy("bob", "order-1", 25_000, nil)
	p.moveClock(time.Now().AddDate(0, 0, 15))
	return p
}

func TestAReferrerIsErased(t *testing.T) {
	t.Parallel()
	for _, d := range []client.Disposition{client.DispositionPayOut, client.DispositionForfeit} {
		p := rich(t)
		alice := p.alice.ParticipantID
		refused[*client.CreateErasureRequestResult](t, "balance_outstanding", "/disposition")(p.erase("alice", nil))
		refused[*client.CreateErasureRequestResult](t, "unknown_reference", "/participant_external_id")(p.erase("nobody", nil))
		reference := func(n *client.NewErasureRequest) { disposition(d)(n); n.ExternalID = ptr("ticket-1") }
		made := must[*client.CreateErasureRequestResult](t)(p.erase("alice", reference)).JSON201
		if made.ParticipantID != alice || made.State != client.ErasureStateRunning || *made.Disposition != d || made.BlockReuse {
			t.Errorf("%s: %+v", d, made)
		}
		if again := must[*client.CreateErasureRequestResult](t)(p.erase("alice", reference)); again.JSON200 == nil || again.JSON200.ID != made.ID {
			t.Errorf("%s: the same request again: %s", d, again.Body)
		}
		refused[*client.CreateErasureRequestResult](t, "conflict", "/external_id")(p.erase("bob", func(n *client.NewErasureRequest) { n.ExternalID, n.BlockReuse = ptr("ticket-1"), ptr(true) }))
		a := p.participantByID(alice)
		if a.State != client.ParticipantStateErased || a.ExternalID != "erased:"+alice.String() || !a.DisplayName.IsNull() || a.HasEmail || len(a.Metadata) != 0 {
			t.Errorf("%s: the participant is %+v", d, a)
		}
		want := [3]int64{0, 5000, 0}
		if d == client.DispositionForfeit {
			want = [3]int64{}
		}
		if got := p.w.owed(alice); got != want {
			t.Errorf("%s: pending, available and paid are %v, want %v", d, got, want)
		}
		code := must[*client.GetCodeResult](t)(p.GetCodeWithResponse(t.Context(), p.alice.ID)).JSON200
		if code.State != client.CodeStateRetired || code.Value != "ERASED" {
			t.Errorf("%s: the code is %+v", d, code)
		}
		p.followsErased("ALICE-9")
		refused[*client.CreateCodeResult](t, "code_taken", "")(p.createCode(client.NewCode{ProgramID: p.program.ID, ParticipantExternalID: "dan", Value: ptr("alice9")}))
		if joined := p.join("eve", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") }); joined.Attributed || joined.Reason != "CODE_NOT_FOUND" {
			t.Errorf("%s: a signup with the code: %+v", d, joined)
		}
		// Nothing new is earned, and what is refunded is still taken back.
		p.buy("bob", "order-2", 10_000, nil)
		if got := p.w.owed(alice); got != want {
			t.Errorf("%s: after another purchase %v, want %v", d, got, want)
		}
		p.refund("order-1", "refund-1", 5_000)
		if d == client.DispositionPayOut {
			want[1] -= 1000
		}
		if got := p.w.owed(alice); got != want {
			t.Errorf("%s: after a refund %v, want %v", d, got, want)
		}
		p.w.agree()
		p.moveClock(time.Now().AddDate(0, 0, 16))
		read := must[*client.GetErasureRequestResult](t)(p.GetErasureRequestWithResponse(t.Context(), made.ID)).JSON200
		if read.State != client.ErasureStateCompleted || read.CompletedAt.IsNull() {
			t.Errorf("%s: later it is %+v", d, read)
		}
		if v := p.verify(1); !v.Verified || !v.Complete || v.Unsealed != 0 {
			t.Errorf("%s: the log: %+v", d, v)
		}
		refused[*client.ReinstateParticipantResult](t, "state_not_allowed", "")(p.ReinstateParticipantWithResponse(t.Context(), alice, &client.ReinstateParticipantParams{}, client.ActionReason{Reason: "no"}))
		refused[*client.CreateErasureRequestResult](t, "state_not_allowed", "")(p.erase(a.ExternalID, nil))
	}
}

// followsErased follows an old link: it leads to the program, without a click.
func (p *play) followsErased(code string) {
	p.w.Helper()
	before := p.w.number("SELECT count(*) FROM clicks")
	res := p.w.visit(p.w.url, http.MethodGet, "/r/"+p.w.pair.Test.Slug+"/"+code)
	if to := res.Header.Get("Location"); res.StatusCode != http.StatusFound || !strings.HasPrefix(to, p.program.LandingURL) || strings.Contains(to, "gv_click") {
		p.w.Errorf("an old link: %d to %s", res.StatusCode, to)
	}
	if n := p.w.number("SELECT count(*) FROM clicks"); n != before {
		p.w.Errorf("it stored %d clicks", n-before)
	}
}

func TestARefereeIsErased(t *testing.T) {
	t.Parallel()
	p := rich(t)
	bob := p.participant("bob").ID
	p.buy("bob", "order-2", 1_000, func(n *client.NewConversion) { n.Type = "purchase" })
	before := p.w.owed(p.alice.ParticipantID)
	must[*client.CreateErasureRequestResult](t)(p.erase("bob", disposition(client.DispositionForfeit)))
	if got := p.w.owed(p.alice.ParticipantID); got != before {
		t.Errorf("the referrer has %v, had %v", got, before)
	}
	list := must[*client.ListReferralsResult](t)(p.ListReferralsWithResponse(t.Context(), &client.ListReferralsParams{ReferrerID: &p.alice.ParticipantID})).JSON200.Data
	if len(list) != 1 || list[0].RefereeID != bob || list[0].State != client.ReferralStateQualified || p.participantByID(list[0].RefereeID).State != client.ParticipantStateErased {
		t.Errorf("the referrer's list: %+v", list)
	}
	decisions := must[*client.ListDecisionsResult](t)(p.ListDecisionsWithResponse(t.Context(), &client.ListDecisionsParams{RefereeID: &bob})).JSON200.Data
	if len(decisions) != 1 {
		t.Fatalf("%d decisions", len(decisions))
	}
	replayed := must[*client.ReplayDecisionResult](t)(p.ReplayDecisionWithResponse(t.Context(), decisions[0].ID, &client.ReplayDecisionParams{})).JSON200
	if !replayed.Same {
		t.Errorf("the decision replays to %+v", replayed)
	}
	// A refund names the order as before.
	p.refund("order-1", "refund-1", 5_000)
	if got := p.w.owed(p.alice.ParticipantID); got != [3]int64{before[0], before[1] - 1000, 0} {
		t.Errorf("after the refund the referrer has %v, had %v", got, before)
	}
	if again := p.join("bob", func(n *client.NewSignup) { n.Code, n.ExternalID = ptr("CAROL-3"), "back" }); !again.Attributed || again.Signup.RefereeID == bob {
		t.Errorf("who comes back is %+v", again)
	}
	p.w.agree()
}

func TestAnErasedPersonCanBeKeptOut(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	mail := func(n *client.NewSignup) {
		n.Code, n.Email = ptr("ALICE-9"), nullable.NewNullableWithValue("bob@shop.example")
	}
	p.join("bob", mail)
	must[*client.CreateErasureRequestResult](t)(p.erase("bob", func(n *client.NewErasureRequest) { n.BlockReuse = ptr(true) }))
	for _, who := range []string{"bob", "bob-under-another-name"} {
		again := p.join(who, func(n *client.NewSignup) { mail(n); n.ExternalID = "again " + who })
		if again.Attributed || again.Reason != "ERASED" {
			t.Errorf("%s: %+v", who, again)
		}
	}
	if other := p.join("ben", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") }); !other.Attributed {
		t.Errorf("somebody else: %+v", other)
	}
}

// What waited for a referral of the erased person waits no longer.
func TestFactsOfAnErasedPersonWaitNoLonger(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	bought := p.buy("bob", "order-1", 10_000, nil)
	must[*client.CreateErasureRequestResult](t)(p.erase("bob", nil))
	all := must[*client.ListUnmatchedFactsResult](t)(p.ListUnmatchedFactsWithResponse(t.Context(), &client.ListUnmatchedFactsParams{})).JSON200.Data
	if len(all) != 1 || all[0].State != client.UnmatchedFactStateRefused || all[0].Reason != "ERASED" {
		t.Errorf("facts: %+v", all)
	}
	read := must[*client.GetConversionResult](t)(p.GetConversionWithResponse(t.Context(), bought.Conversion.ID)).JSON200
	if read.State != client.ConversionStateDisqualified || read.Reason != "ERASED" {
		t.Errorf("the conversion is %+v", read)
	}
	if joined := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") }); !joined.Attributed {
		t.Errorf("who comes back is %+v", joined)
	}
	p.w.agree()
}

// Unique words are planted wherever a person can be named; after the erasure none is found in any row of any table, nor in the log of the
// process.
func TestNothingOfAnErasedPersonIsLeft(t *testing.T) {
	t.Parallel()
	logs := &logBuffer{}
	p := startPlayOn(t, startWorld(t, func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}), nil)
	p.plant()
	if found := p.w.traces("planted", logs.String()); len(found) < 8 {
		t.Fatalf("only %v hold something to erase", found)
	}
	must[*client.CreateErasureRequestResult](t)(p.erase("planted-bob", func(n *client.NewErasureRequest) {
		disposition(client.DispositionForfeit)(n)
		n.ExternalID, n.BlockReuse = ptr("planted-ticket"), ptr(true)
	}))
	p.moveClock(time.Now().Add(time.Hour))
	if found := p.w.traces("planted", logs.String()); len(found) > 0 {
		t.Errorf("something is left in %v", found)
	}
	if v := p.verify(1); !v.Verified || !v.Complete || v.Unsealed != 0 {
		t.Errorf("the log: %+v", v)
	}
	p.w.agree()
}

// plant tells everything of a person that can be told, as a referrer and as a referee.
func (p *play) plant() {
	t, ctx, w := p.w, p.w.Context(), "planted-"
	bob, about := w+"bob", &client.Metadata{"name": w + "metadata"}
	because := client.ActionReason{Reason: w + "reason"}
	made := must[*client.CreateParticipantResult](t)(p.CreateParticipantWithResponse(ctx, &client.CreateParticipantParams{}, client.NewParticipant{
		ExternalID: bob, DisplayName: nullable.NewNullableWithValue(w + "name"), Email: nullable.NewNullableWithValue(w + "mail@shop.example"), Metadata: about,
	})).JSON201
	p.buy(bob, w+"early", 5_000, func(n *client.NewConversion) { n.OccurredAt = ptr(time.Now().AddDate(0, 0, -2)) })
	click := p.click(func(n *client.NewClick) {
		n.VisitorID, n.Utm, n.ReferrerURL = ptr(w+"visitor"), &client.Utm{Source: ptr(w + "source")}, ptr("https://planted.example/bob")
	})
	joined := p.join(bob, func(n *client.NewSignup) {
		n.ExternalID, n.Metadata, n.VisitorID, n.ClickIds = w+"signup", about, ptr(w+"visitor"), []uuid.UUID{click.ID}
		n.DisplayName = nullable.NewNullableWithValue(w + "other name")
	})
	bought := p.buy(bob, w+"order", 10_000, func(n *client.NewConversion) { n.Metadata = about })
	p.refund(w+"order", w+"refund", 100)
	must[*client.RecordReversalResult](t)(p.RecordReversalWithResponse(ctx, &client.RecordReversalParams{}, client.NewReversal{
		ConversionExternalID: w + "order", ConversionType: "purchase", ExternalID: w + "second", Kind: "refund", Amount: ptr[int64](7), Reason: ptr(w + "why"),
	}))
	must[*client.RecordChurnResult](t)(p.RecordChurnWithResponse(ctx, &client.RecordChurnParams{}, client.NewChurn{ProgramID: p.program.ID, RefereeExternalID: bob, ExternalID: w + "churn"}))
	must[*client.HoldRewardResult](t)(p.HoldRewardWithResponse(ctx, bought.Rewards[0].ID, &client.HoldRewardParams{}, because))
	must[*client.CreateManualRewardResult](t)(p.CreateManualRewardWithResponse(ctx, &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: p.program.ID, ParticipantExternalID: bob, Amount: 100, Currency: "USD", Kind: "credit", Reason: w + "gift", ExternalID: w + "gift",
	}))
	p.code(p.program.ID, bob, func(n *client.NewCode) { n.Value = ptr("PLANTED-BOB") })
	must[*client.CreateReferralResult](t)(p.CreateReferralWithResponse(ctx, &client.CreateReferralParams{}, client.NewReferral{
		ProgramID: p.program.ID, ReferrerExternalID: bob, RefereeExternalID: "friend", Reason: w + "phone",
	}))
	must[*client.ReattributeReferralResult](t)(p.ReattributeReferralWithResponse(ctx, joined.ReferralID.MustGet(), &client.ReattributeReferralParams{},
		client.NewReattribution{Code: ptr("CAROL-3"), Reason: w + "mistake"}))
	must[*client.SuspendParticipantResult](t)(p.SuspendParticipantWithResponse(ctx, made.ID, &client.SuspendParticipantParams{}, because))
}

// traces lists the tables in which a word stands, in clear or in bytes, and the log.
func (w *world) traces(word, logs string) (found []string) {
	w.Helper()
	owner := w.database.Owner(w)
	rows, err := owner.Query(w.Context(), `SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'`)
	if err != nil {
		w.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 20 {
		w.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		if n := w.number("SELECT count(*) FROM "+table+" AS t WHERE t::text ILIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'", word, hex.EncodeToString([]byte(word))); n > 0 {
			found = append(found, table)
		}
	}
	if strings.Contains(strings.ToLower(logs), word) {
		found = append(found, "the log of the process")
	}
	return found
}
