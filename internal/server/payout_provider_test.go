package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/payout"
)

// provider is a payment provider behind a webhook.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	orders []payout.Order
	faults []string
}

func startProvider(t *testing.T) *provider {
	p := &provider{status: 202}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) answer(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// keys are the provider keys of what was received, in order.
func (p *provider) keys() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, o := range p.orders {
		out = append(out, o.Key[strings.Index(o.Key, "_"):])
	}
	return strings.Join(out, " ")
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var o payout.Order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
		p.faults = append(p.faults, fmt.Sprint(err, r.Header))
	}
	p.orders = append(p.orders, o)
	w.WriteHeader(p.status)
}

func (c caller) read(id uuid.UUID) client.Payout {
	c.w.Helper()
	return *must[*client.GetPayoutResult](c.w)(c.GetPayoutWithResponse(c.w.Context(), id)).JSON200
}

// A webhook provider gets every approved payout once, is asked again while it is away, and says what became of it.
func TestWebhookProvider(t *testing.T) {
	t.Parallel()
	pay := startProvider(t)
	w := startWorld(t, func(o *Options) { o.AllowPrivateTargets = true })
	c := w.test()
	program := c.activeProgram(nil)
	saved := c.policy(func(n *client.NewPayoutPolicy) {
		n.Approval, n.Provider, n.WebhookURL = ptr(client.PayoutApprovalAutomatic), ptr(client.PayoutProviderWebhook), nullable.NewNullableWithValue(pay.URL)
	})
	secret := saved.WebhookSecret.MustGet()
	if again := c.policy(func(n *client.NewPayoutPolicy) {
		n.Approval, n.Provider, n.WebhookURL = ptr(client.PayoutApprovalAutomatic), ptr(client.PayoutProviderWebhook), nullable.NewNullableWithValue(pay.URL)
	}); !again.WebhookSecret.IsNull() || again.Policy.Version != 2 {
		t.Errorf("saved again: %+v", again)
	}
	if raw, err := c.GetPayoutPolicy(t.Context(), "USD"); err != nil || strings.Contains(fmt.Sprint(raw.Body), secret) {
		t.Errorf("the secret is shown: %v", err)
	}
	now := time.Now()
	clock := func(d time.Duration) { now = now.Add(d); c.moveClock(now) }
	clock(time.Minute)

	first := c.grant(program.ID, "alice", 3000, "money")
	id := c.payout(c.run(false)).ID
	if got := c.read(id); got.State != "approved" {
		t.Errorf("before the background work: %+v", got)
	}
	clock(time.Second)
	got := c.read(id)
	if got.State != "submitted" || pay.keys() != "_1" || pay.orders[0].Amount != 3000 || pay.orders[0].ParticipantExternalID != "alice" || !pay.orders[0].Test {
		t.Errorf("submitted: %+v, sent %+v", got, pay.orders)
	}
	clock(48 * time.Hour)
	must[*client.MarkPayoutPaidResult](t)(c.markPaid(id, "ref", ptr(got.ProviderKey.MustGet())))
	if pay.keys() != "_1" || c.rewardState(first.ID) != "paid 3000" {
		t.Errorf("sent %s", pay.keys())
	}

	pay.orders = nil
	pay.answer(503)
	c.grant(program.ID, "bob", 3000, "money")
	id = c.payout(c.run(false)).ID
	clock(time.Second)
	clock(59 * time.Second)
	if pay.keys() != "_1" {
		t.Errorf("sent %s before the pause is over", pay.keys())
	}
	clock(time.Second)
	pay.answer(422)
	clock(5 * time.Minute)
	if got := c.read(id); got.State != "failed" || pay.keys() != "_1 _1 _1" {
		t.Errorf("refused: %+v, sent %s", got, pay.keys())
	}
	c.retry(id)
	pay.answer(500)
	c.approve(id)
	for range 10 {
		clock(25 * time.Hour)
	}
	if got := c.read(id); got.State != "failed" || pay.keys() != "_1 _1 _1"+strings.Repeat(" _2", 8) {
		t.Errorf("never reached: %+v, sent %s", got, pay.keys())
	}
	// Nobody knows what became of it: the same key tells the provider.
	if got := c.retry(id); got.Attempt != 2 {
		t.Errorf("retried: %+v", got)
	}
	pay.answer(200)
	c.approve(id)
	clock(time.Second)
	if !strings.HasSuffix(pay.keys(), strings.Repeat(" _2", 9)) || len(pay.faults) > 0 {
		t.Errorf("sent %s, %v", pay.keys(), pay.faults)
	}
	must[*client.MarkPayoutPaidResult](t)(c.markPaid(id, "ref-2", nil))
	w.books()
}

func TestPoliciesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).test()
	for pointer, changes := range map[string][]func(*client.NewPayoutPolicy){
		"/approval_amount": {
			func(n *client.NewPayoutPolicy) { n.Approval = ptr(client.PayoutApprovalOverAmount) },
			func(n *client.NewPayoutPolicy) { n.ApprovalAmount = nullable.NewNullableWithValue[int64](5) },
		},
		"/four_eyes": {func(n *client.NewPayoutPolicy) {
			n.Approval, n.FourEyes = ptr(client.PayoutApprovalAutomatic), ptr(true)
		}},
		"/webhook_url": {
			func(n *client.NewPayoutPolicy) { n.Provider = ptr(client.PayoutProviderWebhook) },
			func(n *client.NewPayoutPolicy) { n.WebhookURL = nullable.NewNullableWithValue("https://127.0.0.1/") },
			func(n *client.NewPayoutPolicy) {
				n.WebhookURL = nullable.NewNullableWithValue("http://pay.example.com/")
			},
		},
	} {
		for _, change := range changes {
			n := client.NewPayoutPolicy{MinimumAmount: 1}
			change(&n)
			refused[*client.SetPayoutPolicyResult](t, "validation_failed", pointer)(c.SetPayoutPolicyWithResponse(t.Context(), "USD", n))
		}
	}
	refused[*client.GetPayoutPolicyResult](t, "not_found", "")(c.GetPayoutPolicyWithResponse(t.Context(), "USD"))
	for _, currency := range []string{"USD", "EUR", "JPY"} {
		must[*client.SetPayoutPolicyResult](t)(c.SetPayoutPolicyWithResponse(t.Context(), currency, client.NewPayoutPolicy{MinimumAmount: 1}))
	}
	var told []string
	for p, err := range client.All(func(cursor *string) ([]client.PayoutPolicy, nullableText, error) {
		page, err := c.ListPayoutPoliciesWithResponse(t.Context(), &client.ListPayoutPoliciesParams{Limit: ptr[int64](1), Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, p.Currency)
	}
	if fmt.Sprint(told) != "[EUR JPY USD]" {
		t.Errorf("policies %v", told)
	}
}
