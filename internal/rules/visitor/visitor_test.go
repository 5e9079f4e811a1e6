package visitor_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, address, want string }{
		{"an IPv4 address is itself", "192.0.2.1", "192.0.2.1"},
		{"however it is spelled", "::ffff:192.0.2.1", "192.0.2.1"},
		{"an IPv6 address is its first half", "2001:db8::1", "2001:db8::/64"},
		{"whatever the second half", "2001:db8::ffff:1", "2001:db8::/64"},
		{"another first half is another line", "2001:db8:0:1::1", "2001:db8:0:1::/64"},
		{"without its zone", "2001:db8::2%eth0", "2001:db8::/64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := visitor.Network(netip.MustParseAddr(c.address)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	one := visitor.Key([]byte("a"), "v-1")
	if len(one) != visitor.HashSize || !bytes.Equal(one, visitor.Key([]byte("a"), "v-1")) {
		t.Errorf("got %x", one)
	}
	if bytes.Equal(one, visitor.Key([]byte("b"), "v-1")) || bytes.Equal(one, visitor.Key([]byte("a"), "v-2")) {
		t.Error("another workspace and another visitor have the same key")
	}
}
