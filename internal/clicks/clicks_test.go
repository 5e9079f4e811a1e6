package clicks

import (
	"bytes"
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
)

func TestAClickIsStoredAsItWasMade(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	p := newPlace(t, s, placeOptions{zone: "Pacific/Kiritimati"}) // 14 hours ahead
	c := newClicks(t, s)
	v := p.visit(0, "192.0.2.7")
	v.Code = " code 0-0"
	v.Header.Set("Referer", "https://Blog.Example/post?reader=jane@example.com")
	v.Campaign = landing.Campaign{Source: "news & <letter>", Term: "jane@example.com", Content: "été"}
	v.Consent, v.Path = "granted", "/offer?x=1"
	before := time.Now().Add(-time.Millisecond)
	f := follow(t, c, v)
	if f.Class != Human || !f.Stored {
		t.Fatalf("%+v", f)
	}
	want := "https://shop.example/offer?x=1&utm_source=news+%26+%3Cletter%3E&utm_content=%C3%A9t%C3%A9&gv_click="
	id := clickID(f.Location)
	if f.Location != want+id {
		t.Errorf("Location %q, want %q", f.Location, want+id)
	}
	rows := p.stored(t, s)
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	got := rows[0]
	if got.OccurredAt.Before(before) || got.OccurredAt.After(time.Now()) || got.OccurredAt != got.ReceivedAt {
		t.Errorf("occurred %v, received %v", got.OccurredAt, got.ReceivedAt)
	}
	sum := p.hashKey()
	visitor := NewVisitor(sum, got.OccurredAt, v.Address, agentOfPeople, "")
	host, day := "blog.example", got.OccurredAt.Add(14*time.Hour).Truncate(24*time.Hour)
	expected := db.Click{
		WorkspaceID: p.workspace, ID: uuid.MustParse(id), BatchID: got.BatchID, ProgramID: p.programs[0], CodeID: p.targets[0].code,
		ReferrerID: p.referrers[0], Classification: "human", Source: "redirect", Consent: "granted", Visitor: visitor.Hash,
		AddressHash: visitor.Address, Utm: got.Utm, ReferrerHost: &host, Day: day, OccurredAt: got.OccurredAt, ReceivedAt: got.ReceivedAt,
	}
	if !reflect.DeepEqual(got, expected) {
		t.Errorf("stored\n%+v, want\n%+v", got, expected)
	}
	if utm := string(got.Utm); !strings.Contains(utm, `"content": "été"`) || strings.Contains(utm, "jane") {
		t.Errorf("utm %s", utm)
	}
	if got.ID.Version() != 7 || got.BatchID == uuid.Nil {
		t.Errorf("ids %v %v", got.ID, got.BatchID)
	}
}

func TestWhoStandsBehindAClick(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	p := newPlace(t, s, placeOptions{})
	c := newClicks(t, s)
	for i, step := range []struct {
		name, address, method string
		header                [2]string
		class                 Class
		acknowledged          bool
	}{
		{"a person", "192.0.2.1", "GET", [2]string{}, Human, true},
		{"the same again", "192.0.2.1", "GET", [2]string{}, Repeat, true},
		{"a preview of WhatsApp", "192.0.2.2", "GET", [2]string{"User-Agent", "WhatsApp/2.23.20.0 A"}, Bot, false},
		{"nobody's agent", "192.0.2.2", "GET", [2]string{"User-Agent", ""}, Bot, false},
		{"a prefetch", "192.0.2.3", "GET", [2]string{"Sec-Purpose", "prefetch;anonymous-client-ip"}, Prefetch, false},
		{"a prerendering", "192.0.2.3", "GET", [2]string{"Sec-Purpose", "prefetch;prerender"}, Prefetch, false},
		{"an old prefetch", "192.0.2.3", "GET", [2]string{"X-Moz", "prefetch"}, Prefetch, false},
		{"another", "192.0.2.3", "GET", [2]string{"Purpose", "Prefetch"}, Prefetch, false},
		{"a preview", "192.0.2.3", "GET", [2]string{"X-Purpose", "preview"}, Prefetch, false},
		{"the person behind the prefetches", "192.0.2.3", "GET", [2]string{}, Human, true},
		{"a mail scanner's first look", "192.0.2.4", "HEAD", [2]string{}, Prefetch, false},
		{"and its second", "192.0.2.4", "GET", [2]string{}, Bot, false},
		{"a switch of the visitor's own", "192.0.2.5", "GET", [2]string{"X-Bot", "1"}, Human, true},
		{"a phone", "192.0.2.6", "GET", [2]string{"User-Agent", "Mozilla/5.0 (Linux; Android 10; CUBOT_X18_Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36"}, Human, true},
	} {
		v := p.visit(0, step.address)
		v.Method = step.method
		if step.header[0] != "" {
			v.Header.Set(step.header[0], step.header[1])
		}
		f := follow(t, c, v)
		if f.Class != step.class || (clickID(f.Location) != "") != step.acknowledged || !f.Stored {
			t.Errorf("%s: %+v, want %s, acknowledged %v", step.name, f, step.class, step.acknowledged)
		}
		rows := p.stored(t, s)
		if len(rows) != i+1 {
			t.Errorf("%s: %d clicks are stored, want %d", step.name, len(rows), i+1)
		}
	}
}

func TestALinkFindsItsWorkspace(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	alone := newPlace(t, s, placeOptions{host: "go.example:8443"})
	test := newPlace(t, s, placeOptions{mode: "test"})
	c := newClicks(t, s)
	ask := func(slug, host, code string) error {
		_, err := c.Follow(t.Context(), &Visit{
			Workspace: slug, Host: host, Code: code, Method: "GET", Header: http.Header{"User-Agent": {agentOfPeople}},
		})
		return err
	}
	for name, err := range map[string]error{
		"its host":           ask("", "GO.example:8443", "code00"),
		"the only live one":  ask("", "other.example", "code00"),
		"its slug":           ask(alone.slug, "other.example", "code00"),
		"a test workspace's": ask(test.slug, "go.example:8443", "code00"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	newPlace(t, s, placeOptions{})
	c.Forget(uuid.Nil)
	for name, err := range map[string]error{
		"no host among several": ask("", "other.example", "code00"),
		"an unknown slug":       ask("aaaaaaaaaa", "go.example:8443", "code00"),
		"an unknown code":       ask(alone.slug, "", "code01x"),
		"no code":               ask(alone.slug, "", " - "),
		"a long one":            ask(alone.slug, "", strings.Repeat("a", 41)),
		"a strange one":         ask(alone.slug, "", "cøde00"),
	} {
		if !errors.Is(err, problem.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ask("", "go.example:8443", "code00"); err != nil {
		t.Errorf("its host among several: %v", err)
	}
}

func TestATestClockIsTheTimeOfTheClick(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	p := newPlace(t, s, placeOptions{mode: "test"})
	c := newClicks(t, s)
	set := func(at time.Time) {
		t.Helper()
		if err := db.New().SetClock(t.Context(), s.DB(p.workspace), db.SetClockParams{ClockAt: &at, WorkspaceID: p.workspace}); err != nil {
			t.Fatal(err)
		}
		c.Forget(p.workspace)
	}
	monday := time.Date(2031, 3, 3, 23, 59, 59, 123456000, time.UTC)
	set(monday)
	first := follow(t, c, p.visit(0, "192.0.2.1"))
	again := follow(t, c, p.visit(0, "192.0.2.1"))
	set(monday.AddDate(0, 0, 5))
	later := follow(t, c, p.visit(0, "192.0.2.1"))
	if first.Class != Human || again.Class != Repeat || later.Class != Human {
		t.Errorf("%v %v %v, want human, repeat, and human five days later", first.Class, again.Class, later.Class)
	}
	rows := p.stored(t, s)
	if !rows[0].OccurredAt.Equal(monday) || rows[0].Day != monday.Truncate(24*time.Hour) || !rows[2].OccurredAt.Equal(monday.AddDate(0, 0, 5)) {
		t.Errorf("%v %v %v", rows[0].OccurredAt, rows[0].Day, rows[2].OccurredAt)
	}
	if bytes.Equal(rows[0].Visitor, rows[2].Visitor) || bytes.Equal(rows[0].AddressHash, rows[2].AddressHash) {
		t.Error("a visitor can be followed from day to day")
	}
	if time.Since(time.UnixMilli(int64(rows[0].ID[0])<<40|int64(rows[0].ID[1])<<32|int64(rows[0].ID[2])<<24|int64(rows[0].ID[3])<<16|int64(rows[0].ID[4])<<8|int64(rows[0].ID[5]))).Abs() > time.Minute {
		t.Error("the id is not of the wall clock")
	}
}

func TestVisitorsCannotBeLinked(t *testing.T) {
	t.Parallel()
	a, b := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	day := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	one := NewVisitor(a, day, v4, "agent", "")
	for name, other := range map[string]Visitor{
		"another workspace": NewVisitor(b, day, v4, "agent", ""),
		"another day":       NewVisitor(a, day.AddDate(0, 0, 1), v4, "agent", ""),
	} {
		if bytes.Equal(one.Hash, other.Hash) || bytes.Equal(one.Address, other.Address) {
			t.Errorf("%s: same hash", name)
		}
	}
	same := func(x, y Visitor) bool { return bytes.Equal(x.Hash, y.Hash) && bytes.Equal(x.Address, y.Address) }
	if !same(one, NewVisitor(a, day.Add(11*time.Hour), netip.MustParseAddr("::ffff:192.0.2.1"), "agent", "")) {
		t.Error("one visitor on one day has two hashes")
	}
	if same(one, NewVisitor(a, day, v4, "other agent", "")) || same(one, NewVisitor(a, day, netip.MustParseAddr("192.0.2.2"), "agent", "")) {
		t.Error("two visitors have one hash")
	}
	if !same(NewVisitor(a, day, v6, "agent", ""), NewVisitor(a, day, netip.MustParseAddr("2001:db8::2%eth0"), "agent", "")) {
		t.Error("an IPv6 line is two visitors")
	}
	named := NewVisitor(a, day, v4, "agent", "visitor-1")
	if !bytes.Equal(named.Hash, named.Key) || !bytes.Equal(named.Key, NewVisitor(a, day.AddDate(0, 1, 0), v6, "other", "visitor-1").Key) {
		t.Error("a visitor id does not name the same visitor on all days")
	}
	if unknown := NewVisitor(a, day, netip.Addr{}, "agent", ""); unknown.Address != nil || len(unknown.Hash) != visitor.HashSize {
		t.Errorf("%+v", unknown)
	}
}

func TestReferrersAreKeptAsHosts(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"https://Blog.Example:8080/x?jane@example.com": "blog.example",
		"android-app://com.slack/":                     "com.slack",
		"":                                             "",
		"about:blank":                                  "",
		"javascript:alert(1)":                          "",
		"https://\xff\xfe/":                            "",
		"https://a b/":                                 "",
		"https://" + strings.Repeat("a", 300) + "/": "",
		"https://jane:secret@blog.example/":         "blog.example",
	} {
		got := ""
		if host := ReferrerHost(page); host != nil {
			got = *host
		}
		if got != want {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
}
