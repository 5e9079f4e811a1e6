package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// referrers share the signups, in all ways alike.
const referrers = 50

// signupBench is a workspace with a program that pays both sides for a signup.
type signupBench struct {
	*bed
	workspace uuid.UUID
	key       string
	program   string
}

// benchSignups compares a signup with attribution, two rewards, ledger, statistics, events and idempotency key, over HTTP, with
// pgbench running the same statements in the same round trips, one transaction for each request.
func benchSignups(ctx context.Context, on *bed) error {
	b := &signupBench{bed: on}
	script, err := on.recorded(ctx, b.seed, b.record)
	if err != nil {
		return err
	}
	stop, address, err := serve(ctx, on.store)
	if err != nil {
		return err
	}
	defer stop()
	for _, clients := range []int{1, 32} {
		if err := b.compare(ctx, address, script, clients); err != nil {
			return err
		}
	}
	return b.check(ctx)
}

func (b *signupBench) compare(ctx context.Context, address, script string, clients int) error {
	var ours result
	var theirs, ratios []float64
	for range b.rounds {
		if err := measure(ctx, way{name: "signups", setUp: b.signUp(address)}, clients, b.time, &ours); err != nil {
			return err
		}
		tps, err := pgbench(ctx, b.url, os.Getenv("GRAPEVINE_PG_BIN"), script, clients, b.time)
		if err != nil {
			return err
		}
		theirs = append(theirs, tps)
		ratios = append(ratios, ours.rates[len(ours.rates)-1]/tps)
	}
	fmt.Printf("\nsignups with attribution and two rewards, %d connections: %.0f per second over HTTP (p50 %v, p99 %v), pgbench with the same statements %.0f\n",
		clients, ours.rate(), ours.percentile(50).Round(10*time.Microsecond), ours.percentile(99).Round(10*time.Microsecond), median(theirs))
	fmt.Printf("to pgbench: %.2f of its rate, pair by pair %.2f (goal 0.90)\n", ours.rate()/median(theirs), median(ratios))
	return nil
}

// recorded makes a script for pgbench of the statements of a request, by a server that is watched; plant makes through it what the
// request needs.
func (b *bed) recorded(
	ctx context.Context, plant func(ctx context.Context, address string) error, record func(address string, traced *recorder) (string, error),
) (string, error) {
	traced := &recorder{}
	options := b.options
	options.Tracer = traced
	st, err := store.Open(ctx, options)
	if err != nil {
		return "", err
	}
	defer st.Close()
	stop, watched, err := serve(ctx, st)
	if err != nil {
		return "", err
	}
	defer stop()
	if err := plant(ctx, watched); err != nil {
		return "", err
	}
	script, err := record(watched, traced)
	if err != nil {
		return "", err
	}
	_, err = b.store.AnalyzeNew(ctx)
	return script, err
}

// seed makes a live workspace with a program and a code.
func (b *signupBench) seed(ctx context.Context, address string) error {
	if err := b.workspaceWith(ctx, "signups", "signupbenc", "programs:write", "codes:write", "signups:write"); err != nil {
		return err
	}
	var err error
	b.program, err = b.make(address, "/v1/programs", `{"name":"bench","currency":"EUR","landing_url":"https://shop.example/","rules":{"rewards":[`+
		`{"key":"referrer","triggers":["signup"],"beneficiary":"referrer","kind":"money","amount":{"type":"fixed","value":500},"hold_seconds":86400},`+
		`{"key":"referee","triggers":["signup"],"beneficiary":"referee","kind":"credit","amount":{"type":"fixed","value":300},"hold_seconds":86400}]}}`, "id")
	if err != nil {
		return err
	}
	if _, err := b.make(address, "/v1/programs/"+b.program+"/activate", "", "id"); err != nil {
		return err
	}
	for i := range referrers {
		_, err = b.make(address, "/v1/codes", fmt.Sprintf(`{"program_id":%q,"participant_external_id":"referrer-%d","value":"SIGN%03d"}`, b.program, i, i), "value")
		if err != nil {
			return err
		}
	}
	return nil
}

// workspaceWith makes a live workspace and a key with scopes.
func (b *signupBench) workspaceWith(ctx context.Context, name, slug string, scopes ...string) error {
	b.workspace = uuid.Must(uuid.NewV7())
	key := apikey.New(apikey.Live, apikey.Secret, b.workspace, uuid.Must(uuid.NewV7()))
	b.key = key.Text()
	q, pool, now := db.New(), b.store.DB(b.workspace), time.Now().UTC()
	err := q.CreateWorkspace(ctx, pool, db.CreateWorkspaceParams{
		WorkspaceID: b.workspace, Name: name, Mode: "live", Slug: slug, PairedWorkspaceID: b.workspace,
		HashKey: bytes.Repeat([]byte{7}, 32), CreatedAt: now,
	})
	if err != nil {
		return err
	}
	return q.CreateAPIKey(ctx, pool, db.CreateAPIKeyParams{
		WorkspaceID: b.workspace, ID: key.ID, Name: "bench", Kind: "secret", Prefix: key.Prefix(), LastFour: key.LastFour(), SecretHash: key.Hash(),
		Scopes: scopes, CreatedAt: now,
	})
}

// make posts and gives one member of the answer.
func (b *signupBench) make(address, path, body, member string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+b.key)
	req.Header.Set("Idempotency-Key", uuid.NewString())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		return "", errors.Join(err, fmt.Errorf("%s answered %d: %s", path, res.StatusCode, raw))
	}
	var answer map[string]any
	err = json.Unmarshal(raw, &answer)
	return fmt.Sprint(answer[member]), err
}

// record gives a signup, by any of the referrers, as a pgbench script.
func (b *signupBench) record(address string, traced *recorder) (string, error) {
	variants := make([][2][][]statement, referrers)
	for i := range variants {
		for j := range 8 { // the first ones prepare their statements
			var err error
			variants[i][j%2], err = traced.record(func() error {
				_, err := b.make(address, "/v1/signups", b.body(i), "decision_id")
				return err
			})
			if err != nil {
				return "", err
			}
		}
	}
	return script(variants)
}

func (b *signupBench) body(code int) string {
	name := strconv.FormatUint(rand.Uint64(), 36)
	return fmt.Sprintf(`{"program_id":%q,"referee_external_id":"referee-%s","external_id":"signup-%s","code":"SIGN%03d"}`, b.program, name, name, code)
}

func (b *signupBench) signUp(address string) func(context.Context, int) ([]work, func(), error) {
	return b.posting(address, "/v1/signups", func() string { return b.body(rand.IntN(referrers)) })
}

// posting makes clients that post bodies, each over a connection of its own.
func (b *signupBench) posting(address, path string, body func() string) func(context.Context, int) ([]work, func(), error) {
	return func(_ context.Context, n int) ([]work, func(), error) {
		works, clients := make([]work, n), make([]*client, n)
		for i := range works {
			c, err := dial(address)
			if err != nil {
				return nil, nil, err
			}
			clients[i] = c
			works[i] = func() (int, error) {
				text := body()
				return 1, c.post(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %x\r\n"+
					"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, b.key, rand.Uint64(), len(text), text), "201")
			}
		}
		return works, func() {
			for _, c := range clients {
				_ = c.conn.Close()
			}
		}, nil
	}
}

// post sends a request and reads its answer, which must have the status and a length.
func (c *client) post(request []byte, status string) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(bufio.NewReader(res.Body))
	if err != nil || strconv.Itoa(res.StatusCode) != status {
		return errors.Join(err, fmt.Errorf("answered %d: %s", res.StatusCode, body))
	}
	return res.Body.Close()
}

// check holds the books of the bench against themselves.
func (b *signupBench) check(ctx context.Context) error {
	var referrals, rewards, sum int64
	err := b.store.DB(b.workspace).QueryRow(ctx, `
		SELECT (SELECT count(*) FROM referrals WHERE workspace_id = $1), (SELECT count(*) FROM rewards WHERE workspace_id = $1),
			(SELECT sum(balance)::bigint FROM ledger_accounts WHERE workspace_id = $1)`, b.workspace).Scan(&referrals, &rewards, &sum)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d referrals, %d rewards, the books sum to %d\n", referrals, rewards, sum)
	if sum != 0 || rewards != 2*referrals {
		return errors.New("the books are wrong")
	}
	return nil
}
