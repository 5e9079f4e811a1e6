package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

// world is a server of its own with one test workspace, whose clock stands at t0.
type world struct {
	t       *testing.T
	url     string
	key     string
	liveKey string
	db      *dbtest.Database
	ws      uuid.UUID
	client  *http.Client
	serial  atomic.Int64
	program string
}

// t0 is when every world begins: a clock moves only forward.
var t0 = time.Date(time.Now().Year()+1, 3, 2, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	d := dbtest.New(t)
	s := servertest.StartOn(t, d.Store)
	live, test := s.Pair()
	w := &world{
		t: t, url: s.URL, db: d, key: test.Secret, liveKey: live.Secret, ws: test.ID,
		client: &http.Client{Transport: contracttest.Transport{TB: t, Requests: true}},
	}
	w.clock(t0)
	return w
}

// answer is what the server said.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// get walks the body by a dotted path; a missing member is nil.
func (a answer) get(path string) any {
	var v any = a.body
	for _, name := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i := 0
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}

func (a answer) num(path string) int64 {
	n, _ := a.get(path).(json.Number)
	i, _ := n.Int64()
	return i
}

// want checks the status and pairs of path and value.
func (a answer) want(status int, pairs ...any) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	for i := 0; i < len(pairs); i += 2 {
		if got, want := fmt.Sprint(a.get(pairs[i].(string))), fmt.Sprint(pairs[i+1]); got != want {
			a.t.Errorf("%s is %s, want %s in %s", pairs[i], got, want, a.raw)
		}
	}
	return a
}

type body = map[string]any

// do sends a request with a fresh Idempotency-Key.
func (w *world) do(method, path string, b body) answer {
	w.t.Helper()
	return w.send(method, path, b, fmt.Sprintf("key-%d", w.serial.Add(1)))
}

func (w *world) send(method, path string, b body, idempotencyKey string) answer {
	w.t.Helper()
	var reader io.Reader
	if b != nil {
		text, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	if b != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Error(err)
		return answer{t: w.t}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Error(err)
	}
	a := answer{t: w.t, status: res.StatusCode, header: res.Header, raw: string(raw)}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(&a.body)
	return a
}

// clock moves the workspace's clock and does what is due.
func (w *world) clock(to time.Time) {
	w.t.Helper()
	w.do("POST", "/v1/test-clock", body{"now": to}).want(200)
}

// fixture is the rules that most situations share: last touch in 30 days; the first purchase of at least 2,000 within 90 days
// qualifies; 20 % of every purchase and renewal for 12 months to the referrer, 1,000 credit once to the referee.
func fixture() body {
	return body{
		"attribution":   body{"model": "last_touch", "window_seconds": 2592000, "code_precedence": "code"},
		"qualification": body{"conversion_types": []string{"purchase"}, "minimum_amount": 2000, "window_seconds": 7776000},
		"rewards": []body{
			{"key": "referrer_share", "triggers": []string{"purchase", "renewal"}, "beneficiary": "referrer", "kind": "money",
				"amount": body{"type": "basis_points", "value": 2000}, "hold_seconds": 1209600, "duration_months": 12},
			{"key": "referee_welcome", "triggers": []string{"qualified"}, "beneficiary": "referee", "kind": "credit",
				"amount": body{"type": "fixed", "value": 1000}, "hold_seconds": 1209600},
		},
	}
}

// start makes and activates a program with rules.
func (w *world) start(rules body) string {
	w.t.Helper()
	p := w.do("POST", "/v1/programs", body{
		"name": "P", "currency": "USD", "landing_url": "https://shop.example/welcome", "rules": rules,
	}).want(201)
	w.program = p.str("id")
	w.do("POST", "/v1/programs/"+w.program+"/activate", nil).want(200, "state", "active")
	return w.program
}

// code gives a participant a code and returns its id and value.
func (w *world) code(owner, value string, more ...any) (id, text string) {
	w.t.Helper()
	b := body{"program_id": w.program, "participant_external_id": owner}
	if value != "" {
		b["value"] = value
	}
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	a := w.do("POST", "/v1/codes", b).want(201)
	return a.str("id"), a.str("value")
}

// click reports a click on a code and returns its id.
func (w *world) click(code string, at time.Time) string {
	w.t.Helper()
	return w.do("POST", "/v1/clicks", body{
		"code": code, "occurred_at": at, "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"visitor_id": uuid.NewString(),
	}).want(201).str("id")
}

// signup reports a signup; more are pairs of further fields.
func (w *world) signup(referee string, at time.Time, more ...any) answer {
	w.t.Helper()
	return w.do("POST", "/v1/signups", w.signupBody(referee, at, more...))
}

func (w *world) signupBody(referee string, at time.Time, more ...any) body {
	b := body{
		"program_id": w.program, "referee_external_id": referee, "external_id": fmt.Sprintf("signup-%d", w.serial.Add(1)), "occurred_at": at,
	}
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	return b
}

// purchase reports a purchase under an order number.
func (w *world) purchase(referee, order string, amount int64, at time.Time, more ...any) answer {
	w.t.Helper()
	return w.do("POST", "/v1/conversions", w.purchaseBody(referee, order, amount, at, more...))
}

func (w *world) purchaseBody(referee, order string, amount int64, at time.Time, more ...any) body {
	b := body{
		"program_id": w.program, "referee_external_id": referee, "source": "shop", "external_id": order, "type": "purchase",
		"amount": amount, "currency": "USD", "occurred_at": at,
	}
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	return b
}

// undo reports a reversal of an order; amount 0 takes all that is left.
func (w *world) undo(kind, order, ref string, amount int64, at time.Time) answer {
	w.t.Helper()
	b := body{
		"source": "shop", "external_id": ref, "conversion_external_id": order, "conversion_type": "purchase", "kind": kind, "occurred_at": at,
	}
	if amount > 0 {
		b["amount"] = amount
	}
	return w.do("POST", "/v1/reversals", b)
}

// participant returns the id of a participant.
func (w *world) participant(externalID string) string {
	w.t.Helper()
	return w.do("GET", "/v1/participants?external_id="+externalID, nil).want(200).str("data.0.id")
}

// balance checks what somebody has pending and available, of whatever kind.
func (w *world) balance(who string, pending, available int64) {
	w.t.Helper()
	a := w.do("GET", "/v1/participants/"+w.participant(who)+"/balances", nil).want(200)
	var has [2]int64
	rows, _ := a.get("data").([]any)
	for i := range rows {
		has[0] += a.num(fmt.Sprintf("data.%d.pending", i))
		has[1] += a.num(fmt.Sprintf("data.%d.available", i))
	}
	if has != [2]int64{pending, available} {
		w.t.Errorf("%s has %v pending and available, want %d and %d", who, has, pending, available)
	}
}

// referral returns the newest referral of a referee.
func (w *world) referral(referee string) answer {
	w.t.Helper()
	a := w.do("GET", "/v1/referrals?referee_id="+w.participant(referee), nil).want(200)
	first, ok := a.get("data.0").(map[string]any)
	if !ok {
		w.t.Fatalf("%s has no referral", referee)
	}
	return answer{t: w.t, status: 200, body: first, raw: a.raw}
}

// count is how many rows of a table the workspace has.
func (w *world) count(table string) int {
	w.t.Helper()
	n := 0
	if err := w.db.Store.DB(w.ws).QueryRow(context.Background(), "SELECT count(*) FROM "+table+" WHERE workspace_id = $1", w.ws).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
