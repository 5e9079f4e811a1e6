package landing_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
)

func ExampleParse() {
	_, err := landing.Parse("https://www.acme.example/welcome")
	fmt.Println(err)
	_, err = landing.Parse("https://127.0.0.1/welcome")
	fmt.Println(err)
	// Output:
	// <nil>
	// a landing address has the name of a public host, not an IP address
}

func ExampleAddress_Host() {
	a, _ := landing.Parse("https://WWW.acme.example:8443/welcome")
	fmt.Println(a.Host())
	// Output: www.acme.example:8443
}

func ExampleCheck() {
	fmt.Println(landing.Check("https://go.acme.example/r/alice", "go.acme.example"))
	// Output: a landing address cannot be on the host of the links themselves
}

func ExampleAddress_CheckAllowed() {
	a, _ := landing.Parse("https://www.acme.example/welcome")
	fmt.Println(a.CheckAllowed("https://shop.acme.example/", []string{"shop.acme.example"}))
	fmt.Println(a.CheckAllowed("https://evil.example/", []string{"shop.acme.example"}))
	// Output:
	// <nil>
	// the host is not among the program's allowed hosts
}

func ExampleAddress_Destination() {
	a, _ := landing.Parse("https://www.acme.example/welcome?lang=en")
	fmt.Println(a.Destination("/spring", landing.Campaign{Source: "mail"}, "01a2"))
	// Output: https://www.acme.example/spring?utm_source=mail&gv_click=01a2
}

func ExampleCampaign_Tidy() {
	fmt.Printf("%+v\n", landing.Campaign{Source: " mail\n", Name: "for alice@acme.example"}.Tidy())
	// Output: {Source:mail Medium: Name: Term: Content:}
}
