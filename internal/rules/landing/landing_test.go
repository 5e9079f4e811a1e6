package landing

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

const click = "01981a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b"

func parse(t testing.TB, raw string) Address {
	t.Helper()
	a, err := Parse(raw)
	if err != nil {
		t.Fatalf("Parse(%q): %v", raw, err)
	}
	return a
}

func TestLandingAddressesAreOfOneKind(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{
		"https://shop.example":                   nil,
		"https://shop.example:8443/a/b?c=d&e":    nil,
		"https://xn--caf-dma.example/%C3%A9":     nil,
		"http://localhost:3000/welcome":          nil,
		"":                                       ErrAddress,
		"shop.example/x":                         ErrAddress,
		"//shop.example/x":                       ErrAddress,
		"http://shop.example/":                   ErrAddress,
		"https:shop.example":                     ErrAddress,
		"https:///shop.example":                  ErrAddress,
		"https://":                               ErrAddress,
		"https://user@shop.example/":             ErrAddress,
		"https://good.example@evil.example/":     ErrAddress,
		"https://shop.example/#/app":             ErrAddress,
		`https://shop.example\@evil.example/`:    ErrAddress,
		"https://shop.example/\r\nX: y":          ErrAddress,
		"https://shop.example/a b":               ErrAddress,
		"https://café.example/":                  ErrAddress,
		"javascript:alert(1)":                    ErrAddress,
		"javascript://shop.example/%0aalert(1)":  ErrAddress,
		"data:text/html,x":                       ErrAddress,
		"file:///etc/passwd":                     ErrAddress,
		"intent://shop.example#Intent;end":       ErrAddress,
		"ftp://shop.example/":                    ErrAddress,
		"https://localhost.evil.example./":       ErrHost,
		"https://intranet/":                      ErrHost,
		"https://printer.local/":                 ErrHost,
		"https://127.0.0.1/":                     ErrHost,
		"https://10.0.0.1/":                      ErrHost,
		"https://169.254.169.254/latest":         ErrHost,
		"https://2130706433/":                    ErrHost,
		"https://0x7f.1/":                        ErrHost,
		"https://017700000001/":                  ErrHost,
		"https://[::1]/":                         ErrHost,
		"https://[::ffff:10.0.0.1]/":             ErrHost,
		"https://shop.example%2eevil.example/":   ErrAddress,
		"https://shop..example/":                 ErrHost,
		"https://go.example/x":                   ErrLoop,
		"https://GO.example/x":                   ErrLoop,
		"https://shop.example/?next=https://x.y": nil,
	} {
		if got := Check(raw, "go.example"); got != want {
			t.Errorf("Check(%q) = %v, want %v", raw, got, want)
		}
	}
}

func TestADestinationIsTheLandingAddressWithItsParameters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		landing, path string
		campaign      Campaign
		click         string
		want          string
	}{
		"with a click":                      {"https://s.example", "", Campaign{}, click, "https://s.example/?gv_click=" + click},
		"without one":                       {"https://s.example/a", "", Campaign{}, "", "https://s.example/a"},
		"its own query stays":               {"https://s.example/a?b=%20c&d", "", Campaign{}, click, "https://s.example/a?b=%20c&d&gv_click=" + click},
		"another path":                      {"https://s.example:8443/a?b=c", "/x/y?z=1", Campaign{}, click, "https://s.example:8443/x/y?z=1&gv_click=" + click},
		"escapes stay":                      {"https://s.example/", "/%C3%A9t%C3%A9%20a", Campaign{}, "", "https://s.example/%C3%A9t%C3%A9%20a"},
		"a forged click goes":               {"https://s.example/?gv_click=x", "/p?gv%5Fclick=y&gv_click=z&a=1", Campaign{}, click, "https://s.example/p?a=1&gv_click=" + click},
		"a forged click goes for bots too":  {"https://s.example/?gv_click=x", "", Campaign{}, "", "https://s.example/"},
		"campaign":                          {"https://s.example/", "", Campaign{Source: "a&b=c", Name: "ü \r\n"}, click, "https://s.example/?utm_source=a%26b%3Dc&utm_campaign=%C3%BC+%0D%0A&gv_click=" + click},
		"the link's campaign wins":          {"https://s.example/?utm_source=own&utm_medium=m", "", Campaign{Source: "link"}, "", "https://s.example/?utm_medium=m&utm_source=link"},
		"dots inside a name":                {"https://s.example/", "/a..b/.well-known", Campaign{}, "", "https://s.example/a..b/.well-known"},
		"another address in the path query": {"https://s.example/", "/p?next=https://x.example/", Campaign{}, "", "https://s.example/p?next=https://x.example/"},
	} {
		if got := parse(t, c.landing).Destination(c.path, c.campaign, c.click); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWhatIsNotPlainlyAPathIsNoPath(t *testing.T) {
	t.Parallel()
	a := parse(t, "https://good.example/start")
	for _, path := range []string{
		"x", "//evil.example", "///evil.example", `\\evil.example`, `/\evil.example`, "/%2f%2fevil.example", "/%2F/evil.example",
		"%2f%2fevil.example", "/%252f%252fevil.example", "/%25252f%25252fevil.example", "/%5cevil.example", "/%255cevil.example",
		"https:evil.example", "https://evil.example", "https://good.example@evil.example", "@evil.example", ".evil.example", ":80",
		"javascript:alert(1)", "/a\r\nLocation: https://evil.example", "/a%0d%0aLocation:%20x", "/a%250d%250aX", "/a\x00", "/a%00", "/a\tb",
		"/../x", "/a/../../x", "/%2e%2e/x", "/a/%2E%2e/x", "/.", "/a#b", "/é", "/a b", "/%zz", "/" + strings.Repeat("a", 1000),
		"/" + strings.Repeat("%25", 300) + "41",
	} {
		if got := a.Destination(path, Campaign{}, ""); got != "https://good.example/start" {
			t.Errorf("to=%q leads to %q", path, got)
		}
	}
}

func TestReportedPagesAreOnAllowedHosts(t *testing.T) {
	t.Parallel()
	a := parse(t, "https://shop.example/start")
	allowed := []string{"blog.example", "shop.example:8443"}
	for page, want := range map[string]error{
		"https://shop.example/x":           nil,
		"https://SHOP.example/x":           nil,
		"https://blog.example/":            nil,
		"https://shop.example:8443/":       nil,
		"https://shop.example:8444/":       ErrAllowed,
		"https://good.shop.example/":       ErrAllowed,
		"https://shop.example.evil.com/":   ErrAllowed,
		"https://shop.example@evil.com/":   ErrAddress,
		"https://shop.example%2eevil.com/": ErrAddress,
	} {
		if got := a.CheckAllowed(page, allowed); got != want {
			t.Errorf("%s: %v, want %v", page, got, want)
		}
	}
}

func TestCampaignsCarryNoPersonalData(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"spring":                                "spring",
		" Frühling 2026 ":                       "Frühling 2026",
		"jane.doe@example.com":                  "",
		"from jane@example.com today":           "",
		"jane%40example.com":                    "",
		"jane%2540example%252Ecom":              "",
		"50%jane%40example.com":                 "",
		"a@b":                                   "a@b",
		"a\x00b\r\nc\u202e":                     "abc",
		"a\xffb":                                "ab",
		strings.Repeat("ü", 300):                strings.Repeat("ü", 200),
		strings.Repeat("x", 195) + "jane@a.com": "",
	} {
		if got := (Campaign{Term: value}).Tidy().Term; got != want {
			t.Errorf("Tidy(%.50q) = %q, want %q", value, got, want)
		}
	}
}

// Whatever a visitor adds, the browser stays on the program's host and the header is one line.
func FuzzDestination(f *testing.F) {
	a := parse(f, "https://good.example:8443/start?a=b")
	f.Add("//evil.example", "x")
	f.Add("/%2f%2fevil.example", "a\r\nb")
	f.Add("/a?gv_click=x;y", "\xff")
	f.Fuzz(func(t *testing.T, path, source string) {
		campaign := Campaign{Source: source}.Tidy()
		if !utf8.ValidString(campaign.Source) || strings.ContainsRune(campaign.Source, 0) {
			t.Fatalf("campaign %q", campaign.Source)
		}
		got := a.Destination(path, campaign, click)
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.Host != "good.example:8443" || u.User != nil || u.Query()[ClickParameter] == nil {
			t.Fatalf("Destination(%q, %q) = %q, %v", path, source, got, err)
		}
		if strings.Count(u.RawQuery, click) != 1+strings.Count(path+source, click) || !visible(got) || strings.ContainsAny(got, `\`) {
			t.Fatalf("Destination(%q, %q) = %q", path, source, got)
		}
		if h := (http.Header{"Location": {got}}); h.Get("Location") != got {
			t.Fatal("header")
		}
	})
}
