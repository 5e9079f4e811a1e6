// Package apikey makes and reads the text of API keys:
//
//	gv_<mode>_<kind>_<43 characters: workspace and key id><27 characters: secret><6 characters: CRC-32 of all before>
//
// in base 62. The checksum lets a typing error, a truncated copy or a secret scanner's candidate be refused without asking the
// database; the ids make the look-up a primary key of one workspace; only the SHA-256 of the secret is stored. Each key has
// exactly one text.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/google/uuid"
)

// Mode is the mode of the workspace that a key belongs to.
type Mode string

// Kind is what a key may be used for: secret keys stay on servers, publishable keys may be in browsers.
type Kind string

// The values are those of the contract and of the database.
const (
	Live Mode = "live"
	Test Mode = "test"

	Secret      Kind = "secret"
	Publishable Kind = "publishable"
)

const (
	idLength       = 43 // 62^43 > 2^256
	secretBytes    = 20
	secretLength   = 27 // 62^27 > 2^160
	checksumLength = 6  // 62^6 > 2^32
	prefixLength   = 12
)

// ErrFormat is the answer to every text that is not a key; it never says which part is wrong.
var ErrFormat = errors.New("apikey: not an API key")

// Key is a key in parts. Its secret text must not be logged or stored.
type Key struct {
	Mode        Mode
	Kind        Kind
	WorkspaceID uuid.UUID
	ID          uuid.UUID
	secret      string
}

// New makes a key with a fresh secret of 160 bits.
func New(mode Mode, kind Kind, workspaceID, id uuid.UUID) Key {
	var secret [secretBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	return Key{Mode: mode, Kind: kind, WorkspaceID: workspaceID, ID: id, secret: base62(secret[:], secretLength)}
}

// Parse reads the text of a key and verifies its checksum. It does not know whether the key exists.
func Parse(text string) (Key, error) {
	prefix, k, ok := parsePrefix(text)
	if !ok || len(text) != prefix+idLength+secretLength+checksumLength {
		return Key{}, ErrFormat
	}
	body, sum := text[:len(text)-checksumLength], text[len(text)-checksumLength:]
	if checksum(body) != sum {
		return Key{}, ErrFormat
	}
	var ids [32]byte
	var secret [secretBytes]byte
	k.secret = text[prefix+idLength : len(body)]
	if !unbase62(text[prefix:prefix+idLength], ids[:]) || !unbase62(k.secret, secret[:]) {
		return Key{}, ErrFormat
	}
	k.WorkspaceID, k.ID = uuid.UUID(ids[:16]), uuid.UUID(ids[16:])
	return k, nil
}

func parsePrefix(text string) (length int, k Key, ok bool) {
	for _, k := range []Key{
		{Mode: Live, Kind: Secret}, {Mode: Test, Kind: Secret}, {Mode: Live, Kind: Publishable}, {Mode: Test, Kind: Publishable},
	} {
		if p := k.words(); strings.HasPrefix(text, p) {
			return len(p), k, true
		}
	}
	return 0, Key{}, false
}

func (k Key) words() string {
	kind := "sk"
	if k.Kind == Publishable {
		kind = "pk"
	}
	return "gv_" + string(k.Mode) + "_" + kind + "_"
}

// Text gives the whole key, secret included. It is not called String, so that no log or error prints it by accident.
func (k Key) Text() string {
	body := k.words() + base62(append(k.WorkspaceID[:], k.ID[:]...), idLength) + k.secret
	return body + checksum(body)
}

// Prefix gives the first 12 characters of the text, which tell people which key this is.
func (k Key) Prefix() string { return k.Text()[:prefixLength] }

// LastFour gives the last 4 characters of the text.
func (k Key) LastFour() string {
	text := k.Text()
	return text[len(text)-4:]
}

// Hash gives what is stored instead of the secret.
func (k Key) Hash() []byte {
	sum := sha256.Sum256([]byte(k.secret))
	return sum[:]
}

// Matches reports, in constant time, whether the stored hash is of this key's secret.
func (k Key) Matches(hash []byte) bool { return subtle.ConstantTimeCompare(k.Hash(), hash) == 1 }

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	return base62([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, checksumLength)
}

func base62(b []byte, length int) string {
	digits := new(big.Int).SetBytes(b).Text(62)
	return strings.Repeat("0", length-len(digits)) + digits
}

// unbase62 fills out with the number that text spells, and reports whether it fits.
func unbase62(text string, out []byte) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	n, ok := new(big.Int).SetString(text, 62)
	if !ok || n.BitLen() > len(out)*8 {
		return false
	}
	n.FillBytes(out)
	return true
}
