// Package visitor says who counts as one visitor, and what may be stored of one: keyed hashes only.
package visitor

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
)

// HashSize is how much is kept of a keyed hash: enough that two visitors never meet, and half the room.
const HashSize = 16

// Hash is the keyed hash of a text: the first HashSize bytes of HMAC-SHA256.
func Hash(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)[:HashSize:HashSize]
}

// Key is the hash of the caller's visitor_id, by which a signup finds its clicks.
func Key(hashKey []byte, visitorID string) []byte { return Hash(hashKey, "visitor\x00"+visitorID) }

// Network is what one subscriber usually holds: an IPv4 address, or the first half of an IPv6 address, whose second half changes by
// itself.
func Network(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if address.Is6() {
		prefix, _ := address.Prefix(64)
		return prefix.String()
	}
	return address.String()
}
