package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

func TestMissBudget(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	budget, err := newMissBudget(Rate{PerSecond: 1, Burst: 3}, Rate{PerSecond: 1, Burst: 5})
	if err != nil {
		t.Fatal(err)
	}
	guesser, other, third := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")
	for i := range 3 {
		if err := errors.Join(budget.check(ctx, guesser), budget.miss(ctx, guesser)); err != nil {
			t.Fatalf("miss %d: %v", i, err)
		}
	}
	if !errors.Is(budget.check(ctx, guesser), problem.RateLimited) || !errors.Is(budget.miss(ctx, guesser), problem.RateLimited) {
		t.Error("a network may guess without end")
	}
	if err := errors.Join(budget.check(ctx, other), budget.miss(ctx, other), budget.miss(ctx, other)); err != nil {
		t.Errorf("another network pays: %v", err)
	}
	if !errors.Is(budget.miss(ctx, third), problem.RateLimited) {
		t.Error("many networks may guess without end")
	}
	if err := budget.check(ctx, third); err != nil {
		t.Errorf("guessers stop the visitors of everybody else: %v", err)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		peer      string
		trusted   []netip.Prefix
		forwarded []string
		want      string
	}{
		"nobody is trusted":          {"198.51.100.7:1234", nil, []string{"203.0.113.9"}, "198.51.100.7"},
		"loopback is not trusted":    {"127.0.0.1:1234", nil, []string{"203.0.113.9"}, "127.0.0.1"},
		"a stranger claims":          {"198.51.100.7:1234", trusted, []string{"203.0.113.9"}, "198.51.100.7"},
		"behind a proxy":             {"10.0.0.1:1", trusted, []string{"203.0.113.9"}, "203.0.113.9"},
		"behind two, with a forgery": {"10.0.0.1:1", trusted, []string{"1.2.3.4, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"in two headers":             {"10.0.0.1:1", trusted, []string{"1.2.3.4", "203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		"only proxies":               {"10.0.0.1:1", trusted, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"a private hop of a visitor": {"10.0.0.1:1", trusted, []string{"192.168.1.5"}, "192.168.1.5"},
		"nothing was forwarded":      {"10.0.0.1:1", trusted, nil, "10.0.0.1"},
		"a hop that is no address":   {"10.0.0.1:1", trusted, []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"a mapped address":           {"[::ffff:10.0.0.1]:1", trusted, []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone":                     {"[fd00::1%eth0]:1", trusted, []string{"fe80::1%evil"}, "fe80::1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientAddress(r, c.trusted).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
