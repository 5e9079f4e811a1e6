package server

import (
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
)

// play is a test workspace with a program that gives referrers 20 % of purchases and renewals for a year, and referees ten dollars
// when they qualify with twenty dollars. Alice and Carol have codes.
type play struct {
	caller
	program      client.Program
	alice, carol client.Code
}

func startPlay(t *testing.T, change func(*client.NewProgram)) *play {
	t.Helper()
	return startPlayOn(t, startWorld(t, nil), change)
}

func startPlayOn(t *testing.T, w *world, change func(*client.NewProgram)) *play {
	t.Helper()
	p := &play{caller: w.test()}
	p.program = p.activeProgram(func(n *client.NewProgram) {
		hold := int64(14 * 24 * 3600)
		n.AllowedHosts = &[]string{"shop.acme.example"}
		n.Rules = &client.NewRules{
			Qualification: &client.NewQualificationRules{MinimumAmount: ptr[int64](2000)},
			Rewards: &client.NewRewardRules{
				{
					Key: "referrer_share", Triggers: []string{"purchase", "renewal"}, Beneficiary: "referrer", Kind: "money",
					Amount: client.RewardAmount{Type: "basis_points", Value: 2000}, HoldSeconds: &hold,
					DurationMonths: nullable.NewNullableWithValue[int64](12),
				},
				{
					Key: "welcome_credit", Triggers: []string{"qualified"}, Beneficiary: "referee", Kind: "credit",
					Amount: client.RewardAmount{Type: "fixed", Value: 1000}, HoldSeconds: &hold,
				},
			},
		}
		if change != nil {
			change(n)
		}
	})
	p.alice = p.code(p.program.ID, "alice", func(n *client.NewCode) { n.Value = ptr("ALICE-9") })
	p.carol = p.code(p.program.ID, "carol", func(n *client.NewCode) { n.Value = ptr("CAROL-3") })
	return p
}

// report reports a click of Alice's code; change edits what is sent.
func (c caller) report(change func(*client.NewClick)) (*client.RecordClickResult, error) {
	n := client.NewClick{Code: "ALICE-9"}
	if change != nil {
		change(&n)
	}
	return c.RecordClickWithResponse(c.w.Context(), &client.RecordClickParams{}, n)
}

// click is report, which has to store something new.
func (c caller) click(change func(*client.NewClick)) client.Click {
	c.w.Helper()
	res := must[*client.RecordClickResult](c.w)(c.report(change))
	if res.JSON201 == nil {
		c.w.Fatalf("the click is %s", res.Body)
	}
	return *res.JSON201
}

func (p *play) join(referee string, change func(*client.NewSignup)) client.SignupResult {
	p.w.Helper()
	n := client.NewSignup{ProgramID: p.program.ID, RefereeExternalID: referee, ExternalID: "signup-" + referee}
	if change != nil {
		change(&n)
	}
	res := must[*client.CreateSignupResult](p.w)(p.CreateSignupWithResponse(p.w.Context(), &client.CreateSignupParams{}, n))
	if res.JSON200 != nil {
		return *res.JSON200
	}
	return *res.JSON201
}

func (p *play) buy(referee, order string, amount int64, change func(*client.NewConversion)) client.ConversionResult {
	p.w.Helper()
	n := client.NewConversion{
		ProgramID: p.program.ID, RefereeExternalID: referee, ExternalID: order, Type: "purchase", Amount: amount, Currency: "USD",
	}
	if change != nil {
		change(&n)
	}
	res := must[*client.RecordConversionResult](p.w)(p.RecordConversionWithResponse(p.w.Context(), &client.RecordConversionParams{}, n))
	switch {
	case res.JSON201 != nil:
		return *res.JSON201
	case res.JSON202 != nil:
		return *res.JSON202
	}
	return *res.JSON200
}

func (p *play) refund(order, id string, amount int64) {
	p.w.Helper()
	must[*client.RecordReversalResult](p.w)(p.RecordReversalWithResponse(p.w.Context(), &client.RecordReversalParams{}, client.NewReversal{
		ConversionExternalID: order, ConversionType: "purchase", ExternalID: id, Kind: "refund", Amount: &amount,
	}))
}

func (p *play) participant(externalID string) client.Participant {
	p.w.Helper()
	page := must[*client.ListParticipantsResult](p.w)(p.ListParticipantsWithResponse(p.w.Context(), &client.ListParticipantsParams{ExternalID: &externalID}))
	if len(page.JSON200.Data) != 1 {
		p.w.Fatalf("%d participants %s", len(page.JSON200.Data), externalID)
	}
	return page.JSON200.Data[0]
}

// idOf makes an id of a moment, as a reporter would.
func idOf(at time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	binary.BigEndian.PutUint32(id[:4], uint32(at.UnixMilli()>>16))
	binary.BigEndian.PutUint16(id[4:6], uint16(at.UnixMilli()))
	return id
}

type nullableText = nullable.Nullable[string]

// raw sends what the generated client would not.
func (c caller) raw(method, target, body string) (*http.Response, string) {
	c.w.Helper()
	r, err := http.NewRequestWithContext(c.w.Context(), method, c.w.url+target, strings.NewReader(body))
	if err != nil {
		c.w.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.w.pair.TestKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", uuid.NewString())
	res, err := (&http.Client{Transport: contracttest.Transport{TB: c.w}}).Do(r)
	if err != nil {
		c.w.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.w.Fatal(err)
	}
	return res, string(text)
}

// day is a day before or after today.
func day(offset int) openapi_types.Date {
	return openapi_types.Date{Time: time.Now().UTC().AddDate(0, 0, offset).Truncate(24 * time.Hour)}
}
