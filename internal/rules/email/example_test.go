package email_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/rules/email"
)

func ExampleFold() {
	fmt.Println(email.Fold("Alice.Smith+shop@GoogleMail.com"))
	fmt.Println(email.Fold("Alice.Smith+shop@acme.example"))
	// Output:
	// alicesmith@gmail.com
	// alice.smith@acme.example
}
