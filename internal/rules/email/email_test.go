package email_test

import (
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/rules/email"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, address, want string }{
		{"an address folds to itself", "jane@example.com", "jane@example.com"},
		{"case does not count", "Jane@Example.COM", "jane@example.com"},
		{"spaces around it do not count", "  jane@example.com\t", "jane@example.com"},
		{"what follows a plus does not count", "jane+shop@example.com", "jane@example.com"},
		{"only the first plus matters", "jane+a+b@example.com", "jane@example.com"},
		{"a plus with nothing after it", "jane+@example.com", "jane@example.com"},
		{"a plus at the start is the name", "+jane@example.com", "+jane@example.com"},
		{"dots count, except at Gmail", "jane.doe@example.com", "jane.doe@example.com"},
		{"dots do not count at Gmail", "j.a.n.e.doe@gmail.com", "janedoe@gmail.com"},
		{"googlemail.com is gmail.com", "jane.doe@googlemail.com", "janedoe@gmail.com"},
		{"all of it at once", "J.a.n.e.Doe+x@googlemail.com", "janedoe@gmail.com"},
		{"a dot after the domain does not count", "jane@example.com.", "jane@example.com"},
		{"a dot after googlemail.com neither", "jane.doe@googlemail.com.", "janedoe@gmail.com"},
		{"two dots after the domain neither", "jane@gmail.com..", "jane@gmail.com"},
		{"another domain that ends in gmail.com is another", "jane.doe@notgmail.com", "jane.doe@notgmail.com"},
		{"a subdomain of gmail.com is another", "jane.doe@mail.gmail.com", "jane.doe@mail.gmail.com"},
		{"the last at sign counts", `"jane@home"@example.com`, `"jane@home"@example.com`},
		{"the domain keeps its plus", "jane@ex+ample.com", "jane@ex+ample.com"},
		{"no at sign: lower case only", "Jane+Doe", "jane+doe"},
		{"no local part: lower case only", "@Example.com.", "@example.com."},
		{"no domain: lower case only", "Jane+x@", "jane+x@"},
		{"nothing", "", ""},
		{"an encoded domain stays encoded", "jane@xn--mller-kva.example", "jane@xn--mller-kva.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := email.Fold(c.address); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzFold folds what can be an address at all: the contract lets no white space into one.
func FuzzFold(f *testing.F) {
	for _, seed := range []string{"", "jane@example.com", "J.a.n.e.Doe+x@googlemail.com", "a@b..", ".+@gmail.com", "+.+@gmail.com", "a@.", "İ@b", "a@b@c", "\xff@\xfe"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if len(strings.Fields(address)) != 1 || strings.Fields(address)[0] != address {
			return
		}
		folded := email.Fold(address)
		if again := email.Fold(folded); again != folded {
			t.Errorf("%q folds to %q and that to %q", address, folded, again)
		}
		if got := email.Fold("  " + address + "\n"); got != folded {
			t.Errorf("spaces around %q count", address)
		}
		local, domain, found := strings.Cut(address, "@")
		if !found || local == "" || strings.Trim(domain, ".") == "" || strings.ContainsAny(domain, "@+") {
			return
		}
		if got := email.Fold(local + "+alias@" + domain); strings.IndexByte(local, '+') != 0 && got != folded {
			t.Errorf("an alias of %q folds to %q, not to %q", address, got, folded)
		}
	})
}
