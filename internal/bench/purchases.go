package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"
)

// buyers are the referees who buy, again and again: their history grows alike for us and for pgbench, and what a purchase costs grows
// with it. There are few, because pgbench reads the arguments of all of them with every transaction.
const buyers = 8

// benchPurchases compares a purchase that pays three levels, under a cap and by a tier, over HTTP, with pgbench running the same
// statements in the same round trips.
func benchPurchases(ctx context.Context, on *bed) error {
	b := &purchaseBench{signupBench{bed: on}}
	script, err := on.recorded(ctx, b.plant, b.record)
	if err != nil {
		return err
	}
	stop, address, err := serve(ctx, on.store)
	if err != nil {
		return err
	}
	defer stop()
	span := min(b.time, time.Second) // or their histories would be longer than anybody's
	for _, clients := range []int{1, 32} {
		var ours result
		var theirs []float64
		for range min(b.rounds, 3) {
			if err := measure(ctx, way{name: "purchases", setUp: b.buy(address)}, clients, span, &ours); err != nil {
				return err
			}
			tps, err := pgbench(ctx, b.url, os.Getenv("GRAPEVINE_PG_BIN"), script, clients, span)
			if err != nil {
				return err
			}
			theirs = append(theirs, tps)
		}
		fmt.Printf("\npurchases with three levels, a cap and a tier, %d connections: %.0f per second over HTTP (p50 %v, p99 %v), pgbench with the same statements %.0f\n",
			clients, ours.rate(), ours.percentile(50).Round(10*time.Microsecond), ours.percentile(99).Round(10*time.Microsecond), median(theirs))
		fmt.Printf("to pgbench: %.2f of its rate (goal 0.90)\n", ours.rate()/median(theirs))
	}
	return b.balanced(ctx)
}

type purchaseBench struct{ signupBench }

// plant makes a program and a tree: a root, ten below it, a hundred below those, and the buyers below the hundred.
func (b *purchaseBench) plant(ctx context.Context, address string) error {
	if err := b.workspaceWith(ctx, "purchases", "purchasebn", "programs:write", "codes:write", "signups:write", "conversions:write"); err != nil {
		return err
	}
	const most = 999_999_999_999
	var err error
	b.program, err = b.make(address, "/v1/programs", fmt.Sprintf(`{"name":"bench","currency":"EUR","landing_url":"https://shop.example/","rules":{"rewards":[`+
		`{"key":"direct","triggers":["purchase"],"beneficiary":"referrer","kind":"money","amount":{"type":"basis_points","value":2000},"hold_seconds":86400,`+
		`"cap":{"amount":%d,"period":"month"},"tiers":{"measure":"qualified_referrals","period":"lifetime","mode":"frozen",`+
		`"steps":[{"from":1000000,"amount":{"type":"basis_points","value":2500}}]}},`+
		`{"key":"second","triggers":["purchase"],"beneficiary":"upline","level":2,"kind":"money","amount":{"type":"basis_points","value":500},"hold_seconds":86400},`+
		`{"key":"third","triggers":["purchase"],"beneficiary":"upline","level":3,"kind":"money","amount":{"type":"basis_points","value":200},"hold_seconds":86400}]}}`,
		most), "id")
	if err != nil {
		return err
	}
	if _, err := b.make(address, "/v1/programs/"+b.program+"/activate", "", "id"); err != nil {
		return err
	}
	members := []string{"root"}
	for i := range 110 + buyers {
		above := members[min(len(members)-1, i/10)]
		who := "member-" + strconv.Itoa(i)
		if i >= 110 {
			above, who = members[11+i%100], "buyer-"+strconv.Itoa(i-110)
		}
		code := fmt.Sprintf(`{"program_id":%q,"participant_external_id":%q,"value":"T%05d"}`, b.program, above, i)
		if _, err := b.make(address, "/v1/codes", code, "value"); err != nil {
			return err
		}
		signup := fmt.Sprintf(`{"program_id":%q,"referee_external_id":%q,"external_id":"signup-%d","code":"T%05d"}`, b.program, who, i, i)
		if _, err := b.make(address, "/v1/signups", signup, "decision_id"); err != nil {
			return err
		}
		members = append(members, who)
	}
	return nil
}

// record gives a purchase, by any of the buyers, as a pgbench script.
func (b *purchaseBench) record(address string, traced *recorder) (string, error) {
	variants := make([][2][][]statement, buyers)
	for i := range variants {
		// The first one qualifies, the next ones prepare their statements; the worker may get between any two.
		for j := 0; j < 8 || !alike(variants[i][0], variants[i][1]) || !alike(variants[0][0], variants[i][0]); j++ {
			var err error
			variants[i][j%2], err = traced.record(func() error {
				_, err := b.make(address, "/v1/conversions", b.body(i), "reason")
				return err
			})
			if err != nil {
				return "", err
			}
		}
	}
	return script(variants)
}

// alike reports whether two recordings have the same statements in the same round trips.
func alike(a, b [][]statement) bool {
	same := func(a, b statement) bool { return a.sql == b.sql && len(a.args) == len(b.args) }
	return slices.EqualFunc(a, b, func(a, b []statement) bool { return slices.EqualFunc(a, b, same) })
}

func (b *purchaseBench) body(buyer int) string {
	return fmt.Sprintf(`{"program_id":%q,"referee_external_id":"buyer-%d","external_id":"order-%s","type":"purchase","amount":10000,"currency":"EUR"}`,
		b.program, buyer, strconv.FormatUint(rand.Uint64(), 36))
}

func (b *purchaseBench) buy(address string) func(context.Context, int) ([]work, func(), error) {
	return b.posting(address, "/v1/conversions", func() string { return b.body(rand.IntN(buyers)) })
}

// balanced holds the books against themselves.
func (b *purchaseBench) balanced(ctx context.Context) error {
	var rewards, sum int64
	err := b.store.DB(b.workspace).QueryRow(ctx, `
		SELECT (SELECT count(*) FROM rewards WHERE workspace_id = $1),
			(SELECT sum(balance)::bigint FROM ledger_accounts WHERE workspace_id = $1)`,
		b.workspace).Scan(&rewards, &sum)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d rewards, three of each purchase: %d purchases of each buyer in the end; the books sum to %d\n", rewards, rewards/3/buyers, sum)
	if sum != 0 || rewards == 0 {
		return errors.New("the books are wrong")
	}
	return nil
}
