package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/email"
)

// occurredAt returns when a fact occurred: the claim, when it is acceptable, or now.
func (s Scope) occurredAt(claim *time.Time) (time.Time, error) {
	if claim == nil {
		return s.Now, nil
	}
	at := claim.UTC().Truncate(time.Microsecond)
	if !s.inRange(at, s.Now) {
		return at, problem.OccurredAtOutOfRange.With("occurred_at must lie between " + s.MaxPast.String() + " ago and 5 minutes ahead").
			WithErrors([]problem.FieldError{{Pointer: "/occurred_at", Message: "out of range"}})
	}
	return at, nil
}

func (s Scope) inRange(at, now time.Time) bool {
	return !at.Before(now.Add(-s.MaxPast)) && !at.After(now.Add(MaxFuture))
}

// emailHash folds an address and hashes it with the workspace's key; nil without an address.
func (s Scope) emailHash(address *string) []byte {
	if address == nil {
		return nil
	}
	a := norm.NFKC.String(*address)
	if at := strings.LastIndexByte(a, '@'); at >= 0 {
		if ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(a[at+1:], ".")); err == nil {
			a = a[:at+1] + ascii
		}
	}
	m := hmac.New(sha256.New, s.HashKey)
	m.Write([]byte("email\x00" + email.Fold(a)))
	return m.Sum(nil)
}

// keyed hashes a text with the workspace's key, for one use.
func (s Scope) keyed(use, text string) []byte {
	m := hmac.New(sha256.New, s.HashKey)
	m.Write([]byte(use + "\x00" + text))
	return m.Sum(nil)
}

// pseudonym is what an erasure makes of a caller's reference: who has the reference finds its fact by it, and nobody else.
func (s Scope) pseudonym(reference string) string {
	return "erased:" + hex.EncodeToString(s.keyed("reference", reference)[:16])
}

// tombstones are the hashes by which an erased person is known who must not be referred again.
func (s Scope) tombstones(externalID string, emailHash []byte) [][]byte {
	out := [][]byte{s.keyed("erased id", externalID)}
	if emailHash != nil {
		out = append(out, s.keyed("erased email", string(emailHash)))
	}
	return out
}

// moment is a time as a part of a fingerprint: what was sent, to the microsecond.
func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return InMicroseconds(t).Format(time.RFC3339Nano)
}

// fingerprint hashes the parts of a fact that make it the same fact when it is sent again.
func fingerprint(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}
