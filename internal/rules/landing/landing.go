// Package landing decides where a link leads: to the landing address of its program and nowhere else.
//
// The scheme and the host of a destination come from the stored address alone. A visitor may name another path on it, and what
// they add never changes the host, however it is spelled: what could be read in two ways is dropped, not repaired, and the finished
// address is read back and compared before it is used.
package landing

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ClickParameter carries the id of the click to the landing page.
const ClickParameter = "gv_click"

// mostPath bounds the path that a link may name.
const mostPath = 1000

// Why an address may not be landed on.
var (
	ErrAddress = errors.New("a landing address is an https address (or http on localhost) in plain ASCII, without credentials and fragment")
	ErrHost    = errors.New("a landing address has the name of a public host, not an IP address")
	ErrLoop    = errors.New("a landing address cannot be on the host of the links themselves")
	ErrAllowed = errors.New("the host is not among the program's allowed hosts")
)

// Address is a landing address that was checked.
type Address struct {
	origin string // https://shop.example:8443
	host   string
	page   string // the origin and the escaped path
	query  string // raw, without a gv_click
}

// Parse checks a landing address and takes it apart.
func Parse(raw string) (Address, error) {
	if !visible(raw) || strings.ContainsAny(raw, `\#`) {
		return Address{}, ErrAddress
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" || strings.Contains(u.Host, "@") {
		return Address{}, ErrAddress
	}
	if !plainPort(u) {
		return Address{}, ErrAddress
	}
	local := u.Hostname() == "localhost"
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return Address{}, ErrAddress
	}
	if !local && !publicName(u.Hostname()) {
		return Address{}, ErrHost
	}
	a := Address{origin: u.Scheme + "://" + u.Host, host: u.Host, query: without(u.RawQuery, clickOnly)}
	a.page = a.origin + u.EscapedPath()
	if u.Path == "" {
		a.page += "/"
	}
	return a, nil
}

// plainPort says whether the port is left out or a number that a port can be, spelled as one spells it.
func plainPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == u.Port()
}

// Host is the address's host, with its port if it has one, in lower case.
func (a Address) Host() string { return strings.ToLower(a.host) }

// Check says why an address may not be stored as a landing address, or nil. Loops are the hosts under which links are followed.
func Check(raw string, loops ...string) error {
	a, err := Parse(raw)
	if err != nil {
		return err
	}
	if slices.Contains(loops, a.Host()) {
		return ErrLoop
	}
	return nil
}

// CheckAllowed says why a page may not be one that a click is reported for: it is neither on the landing address's host nor on an
// allowed one.
func (a Address) CheckAllowed(page string, allowed []string) error {
	other, err := Parse(page)
	if err != nil {
		return err
	}
	if other.Host() != a.Host() && !slices.Contains(allowed, other.Host()) {
		return ErrAllowed
	}
	return nil
}

// publicName refuses addresses in all spellings that browsers understand (all of them end in a number), and names without a dot.
func publicName(host string) bool {
	host = strings.ToLower(host)
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == host || last == "" || strings.HasPrefix(host, "-") || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	for _, c := range []byte(host) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return last[0] > '9' && !slices.Contains([]string{"localhost", "local", "internal", "lan", "home", "corp", "intranet"}, last)
}

// Campaign are the campaign parameters that a link passes on, and that are kept with its click.
type Campaign struct {
	Source  string `json:"source,omitempty"`
	Medium  string `json:"medium,omitempty"`
	Name    string `json:"campaign,omitempty"`
	Term    string `json:"term,omitempty"`
	Content string `json:"content,omitempty"`
}

// Destination is where a visitor is sent: the landing address, or the path on its host, with the campaign and the id of the click
// when there is one. A path that is not plainly one is as good as none.
func (a Address) Destination(path string, campaign Campaign, click string) string {
	location, query := a.page, a.query
	if path != "" {
		if p, q, ok := a.join(path); ok {
			location, query = a.origin+p, q
		}
	}
	if campaign != (Campaign{}) {
		query = campaign.appendTo(query)
	}
	switch {
	case query == "" && click == "":
		return location
	case query == "":
		return location + "?" + ClickParameter + "=" + click
	case click == "":
		return location + "?" + query
	default:
		return location + "?" + query + "&" + ClickParameter + "=" + click
	}
}

// join gives the escaped path and the raw query of a path on the address's host.
func (a Address) join(path string) (escaped, query string, ok bool) {
	if len(path) > mostPath || !visible(path) || path[0] != '/' || strings.ContainsRune(path, '#') || !plain(path) {
		return "", "", false
	}
	u, err := url.Parse(a.origin + path)
	if err != nil || u.Host != a.host || u.User != nil || u.Fragment != "" {
		return "", "", false
	}
	return u.EscapedPath(), without(u.RawQuery, clickOnly), true
}

// plain refuses what anybody on the way could read as something else than a path, in as many layers of escapes as there are.
func plain(path string) bool {
	for range 5 {
		p, _, _ := strings.Cut(path, "?")
		if strings.HasPrefix(p, "//") || strings.ContainsRune(path, '\\') || dots(p) {
			return false
		}
		for _, c := range []byte(path) {
			if c < 0x20 || c == 0x7f {
				return false
			}
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return false
		}
		if decoded == path {
			return true
		}
		path = decoded
	}
	return false
}

// dots reports segments that walk the tree.
func dots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func visible(s string) bool {
	for _, c := range []byte(s) {
		if c <= 0x20 || c >= 0x7f {
			return false
		}
	}
	return s != ""
}

func (c Campaign) appendTo(query string) string {
	pairs := [...][2]string{
		{"utm_source", c.Source}, {"utm_medium", c.Medium}, {"utm_campaign", c.Name}, {"utm_term", c.Term}, {"utm_content", c.Content},
	}
	query = without(query, func(name string) bool {
		return slices.ContainsFunc(pairs[:], func(p [2]string) bool { return p[0] == name && p[1] != "" })
	})
	for _, p := range pairs {
		if p[1] != "" {
			query = with(query, p[0], url.QueryEscape(p[1]))
		}
	}
	return query
}

func with(query, name, escaped string) string {
	if query != "" {
		query += "&"
	}
	return query + name + "=" + escaped
}

func clickOnly(name string) bool { return name == ClickParameter }

// without removes parameters from a raw query and leaves the others as they were spelled.
func without(query string, drop func(name string) bool) string {
	if query == "" {
		return ""
	}
	kept := make([]string, 0, strings.Count(query, "&")+1)
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && drop(plain) {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}
