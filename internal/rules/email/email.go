// Package email folds addresses, so that the aliases of one mailbox are found equal.
package email

import "strings"

// Fold returns the form under which an address is compared: lower case, without the part after a plus sign, and for
// Gmail (also as googlemail.com) without dots. The caller has normalised Unicode and brought the domain to ASCII.
// An address without a local part or a domain folds to its lower case.
func Fold(address string) string {
	address = strings.ToLower(strings.TrimSpace(address))
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return address
	}
	local, domain := address[:at], strings.TrimRight(address[at+1:], ".")
	if plus := strings.IndexByte(local, '+'); plus > 0 {
		local = local[:plus]
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}
