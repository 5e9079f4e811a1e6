package attacks

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"strings"

	"github.com/grapevine-referrals/grapevine/internal/server"
)

func init() {
	programs["guessing"] = (*attack).guessing
	programs["entropy"] = (*attack).entropy
	programs["probes"] = (*attack).probes
	programs["destinations"] = (*attack).destinations
	programs["agents"] = (*attack).agents
	programs["forged addresses"] = (*attack).forgedAddresses
}

// visit follows the attacker's own link as a visitor; a query begins with a question mark.
func (a *attack) visit(query string, headers ...string) answer {
	a.t.Helper()
	target := "/r/" + a.own.things["slug"] + "/" + a.own.things["code_value"] + query
	return a.send(request{method: "GET", target: target, as: "none", headers: append([]string{"User-Agent: " + desktop}, headers...)})
}

// guessing looks for codes by every door until it is told to wait, which also holds at the other doors then, and stores nothing.
func (a *attack) guessing() {
	doors := map[string]func(code string) request{
		"the redirect": func(code string) request {
			return request{method: "GET", target: "/r/" + a.twin.things["slug"] + "/" + code, as: "none"}
		},
		"the look-up": func(code string) request {
			return a.recipe("lookupCode", map[string]any{"/value": code, "/program_id": nil}).from("publishable")
		},
		"the beacon": func(code string) request {
			return a.recipe("recordClick", map[string]any{"/code": code, "/ip": nil, "/program_id": nil}).from("publishable")
		},
	}
	for name, door := range doors {
		strict := a.start(func(o *server.Options) { o.MissesPerNetwork = server.Rate{PerSecond: 1, Burst: 5} })
		a.through(strict, func() {
			misses := 0
			var got answer
			for got = a.send(door("WRONG-1")); got.status != 429 && misses < 200; got = a.send(door(fmt.Sprintf("WRONG-%d", misses))) {
				misses++
			}
			if got.status != 429 || misses < 4 || got.header.Get("Retry-After") == "" {
				a.t.Errorf("%s: %v after %d misses", name, got, misses)
			}
			for other, door := range doors {
				for got := a.send(door("WRONG")); got.status != 429; got = a.send(door("WRONG")) { // a unit may have come back
					if misses++; misses > 400 {
						a.t.Fatalf("%s after %s: %v", other, name, got)
					}
				}
			}
			if got := a.probe(a.own.secret); got.status != 200 {
				a.t.Errorf("a secret key pays for guesses: %v", got)
			}
		})
	}
	hit, miss := a.send(doors["the look-up"](a.own.things["code_value"])), a.send(doors["the look-up"]("WRONG"))
	if hit.text("found") != "true" || miss.text("found") != "false" || hit.queries != miss.queries {
		a.t.Errorf("a hit takes %d statements, a miss %d: %v, %v", hit.queries, miss.queries, hit, miss)
	}
	if got := a.send(doors["the look-up"]("WRONG").from("none")); got.status != 401 {
		a.t.Errorf("the look-up without a key: %v", got)
	}
}

// entropy measures the codes that are generated: their length, over the characters that they use.
func (a *attack) entropy() {
	characters, seen := map[rune]bool{}, map[string]bool{}
	length := math.MaxInt
	codes := a.codes(a.make("active_program"), 200)
	for _, code := range codes {
		folded := strings.ReplaceAll(code, "-", "")
		length = min(length, len(folded))
		seen[folded] = true
		for _, c := range folded {
			characters[c] = true
		}
	}
	if bits := float64(length) * math.Log2(float64(len(characters))); bits < 50 || len(seen) != len(codes) {
		a.t.Errorf("%d codes, %.1f bits each", len(seen), bits)
	}
}

// probes asks for links in ways that must not tell what exists.
func (a *attack) probes() {
	live, test := a.twin.things, a.own.things
	wanted := a.send(request{method: "GET", target: "/r/" + newID()[24:34] + "/UNKNOWN-1", as: "none"})
	for what, target := range map[string]string{
		"a slug that exists":            "/r/" + live["slug"] + "/UNKNOWN-1",
		"a code of the test workspace":  "/r/" + live["slug"] + "/" + test["code_value"],
		"a code of another workspace":   "/r/" + a.victim.things["slug"] + "/" + live["code_value"],
		"an id for a slug":              "/r/" + live["workspace"] + "/" + live["code_value"],
		"the operator's workspace":      "/r/operator/" + live["code_value"],
		"no workspace, and many":        "/r/" + live["code_value"],
		"something that no code can be": "/r/" + live["slug"] + "/%E2%98%83",
	} {
		got := a.send(request{method: "GET", target: target, as: "none"})
		if got.masked() != wanted.masked() || got.status != 404 {
			a.t.Errorf("%s: %v, want %v", what, got, wanted)
		}
	}
	lookUp := func(code string) string {
		return a.send(a.recipe("lookupCode", map[string]any{"/value": code, "/program_id": nil}).from("publishable")).masked()
	}
	if random, foreign := lookUp("UNKNOWN-1"), lookUp(a.victim.things["code_value"]); random != foreign {
		a.t.Errorf("looking up a foreign code says %s, a random one %s", foreign, random)
	}
}

// destinations follows a link with everything that could lead a visitor elsewhere.
func (a *attack) destinations() {
	for _, query := range strings.Fields(a.row.With["queries"]) {
		got := a.visit("?" + query)
		u, err := url.Parse(got.header.Get("Location"))
		if got.status != 302 || err != nil || u.Scheme != "https" || u.Host != "shop.example" || u.User != nil || u.Fragment != "" ||
			strings.ContainsAny(got.header.Get("Location"), "\\\r\n \t") || strings.HasPrefix(u.Path, "//") || len(got.header.Values("Location")) != 1 {
			a.t.Errorf("%s: %v leads to %q", query, got, got.header.Values("Location"))
		}
		if got.header.Get("Cache-Control") != "no-store" {
			a.t.Errorf("%s: %q", query, got.header)
		}
	}
	if got := a.visit("?to=/deals%3Fa%3Db&utm_source=x"); !strings.HasPrefix(got.header.Get("Location"), "https://shop.example/deals?a=b&utm_source=x&gv_click=") {
		a.t.Errorf("a plain path leads to %q", got.header.Get("Location"))
	}
}

// agents visits as robots and as people: only people get the id of a click, and only a robot's click is one.
func (a *attack) agents() {
	for class, agents := range a.row.With {
		for agent := range strings.Lines(agents) {
			agent = strings.TrimSpace(agent)
			a.visitAs(class, agent)
		}
	}
}

func (a *attack) visitAs(class, line string) {
	a.t.Helper()
	agent, more, _ := strings.Cut(line, " | ")
	r := request{method: "GET", target: "/r/" + a.own.things["slug"] + "/" + a.own.things["code_value"], as: "none"}
	r.headers = []string{"User-Agent: " + agent}
	for part := range strings.SplitSeq(more, " | ") {
		switch {
		case part == "HEAD":
			r.method = part
		case strings.HasPrefix(part, "?"):
			r.target += part
		case part != "":
			r.headers = append(r.headers, part)
		}
	}
	before := a.number("SELECT count(*) FROM clicks WHERE classification = $1", class)
	got := a.send(r)
	id := strings.Contains(got.header.Get("Location"), "gv_click=")
	stored := a.number("SELECT count(*) FROM clicks WHERE classification = $1", class) - before
	if got.status != 302 || id != (class == "human") || stored != 1 {
		a.t.Errorf("%s: %v with an id: %v; %d clicks of class %s", line, got.status, id, stored, class)
	}
}

// forgedAddresses visits with addresses of the visitor's own making. Without a proxy that is trusted, they are worth nothing; behind
// one, only what it added itself is.
func (a *attack) forgedAddresses() {
	forged := strings.Split(strings.TrimSpace(a.row.With["chains"]), "\n")
	forged = append(forged, strings.Repeat("6.6.6.6, ", 99)+"6.6.6.6")
	addresses := func(visits func(send func(headers ...string))) int64 {
		before := a.number("SELECT count(DISTINCT address_hash) FROM clicks")
		n := 0
		visits(func(headers ...string) {
			n++
			if got := a.visit("", append(headers, fmt.Sprintf("User-Agent: %s %d", desktop, n))...); got.status != 302 {
				a.t.Errorf("%q: %v", headers, got)
			}
		})
		return a.number("SELECT count(DISTINCT address_hash) FROM clicks") - before
	}
	a.visit("") // the peer's own address is known from here on
	if n := addresses(func(send func(...string)) {
		for _, chain := range forged {
			send("X-Forwarded-For: "+chain, "X-Real-Ip: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Forwarded-Host: evil.example", "True-Client-Ip: 6.6.6.6")
		}
	}); n != 0 {
		a.t.Errorf("%d addresses were believed without a proxy", n)
	}
	behind := a.start(func(o *server.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	a.through(behind, func() {
		if n := addresses(func(send func(...string)) {
			for _, chain := range forged {
				send("X-Forwarded-For: " + chain + ", 198.51.100.77")
			}
			send("X-Forwarded-For: 198.51.100.77")
			send("X-Forwarded-For: 6.6.6.6", "+X-Forwarded-For: 198.51.100.77")
			send("X-Forwarded-For: 6.6.6.6, 198.51.100.77, 127.0.0.2")
			send("X-Forwarded-For: ::ffff:198.51.100.77")
		}); n != 1 {
			a.t.Errorf("behind a proxy one visitor has %d addresses", n)
		}
	})
}
