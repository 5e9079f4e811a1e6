package payout

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

var errPrivate = errors.New("the address is not public")

// closed are networks that no request may reach, besides those that netip knows as private, local or multicast. Addresses of version 6
// that carry one of version 4 could hide any of them.
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// public reports whether an address is one of the open internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// newClient makes a client that follows no redirect, asks no proxy, and looks at every address after its name was resolved, just
// before it connects: a name that answers otherwise the second time gains nothing.
func newClient(allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: sendTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !allowPrivate && !public(to.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: mostAnswer, DisableKeepAlives: true,
		},
	}
}

// CheckAddress says what is wrong with an address to post to; nil when nothing is.
func (p *Providers) CheckAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return errors.New("is not an absolute URL")
	case u.Scheme != "https" && (u.Scheme != "http" || !p.allowPrivate):
		return errors.New("must begin with https://")
	case u.User != nil || u.Fragment != "":
		return errors.New("must have no user and no fragment")
	case p.allowPrivate:
		return nil
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if a, err := netip.ParseAddr(host); err == nil {
		if !public(a) {
			return fmt.Errorf("must name a public host: %w", errPrivate)
		}
		return nil
	}
	// A name without a dot, or one of digits, is read as a local name or as a number of version 4 by some resolvers.
	last := host[strings.LastIndex(host, ".")+1:]
	if !strings.Contains(host, ".") || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") || local[last] {
		return errors.New("must name a public host")
	}
	return nil
}

var local = map[string]bool{"localhost": true, "local": true, "internal": true, "home": true, "lan": true, "corp": true, "localdomain": true}
