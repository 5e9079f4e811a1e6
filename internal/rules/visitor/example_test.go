package visitor_test

import (
	"fmt"
	"net/netip"

	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
)

func ExampleHash() {
	fmt.Printf("%x\n", visitor.Hash([]byte("the salt of the day"), "203.0.113.7"))
	// Output: 2c61592a536797eb9b38db233fb99710
}

func ExampleKey() {
	fmt.Printf("%x\n", visitor.Key([]byte("the key of the workspace"), "browser-1"))
	// Output: 8148aff3d71aec3cf31b734faabc74ef
}

func ExampleNetwork() {
	fmt.Println(visitor.Network(netip.MustParseAddr("::ffff:203.0.113.7")), visitor.Network(netip.MustParseAddr("2001:db8:1:2:3:4:5:6")))
	// Output: 203.0.113.7 2001:db8:1:2::/64
}
