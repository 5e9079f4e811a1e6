package clicks

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"net/netip"
	"sync"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
)

// Visitor is who clicked, as far as it may be stored.
type Visitor struct {
	Hash    []byte // counts visitors
	Key     []byte // finds the clicks of the caller's visitor_id; nil without one
	Address []byte // nil when the address is not known
}

// NewVisitor hashes what is known of a visitor with the key of the workspace. Without a visitor id a visitor is an address and an
// agent on one UTC day: the salt of the hash is another on the next, so that nobody can be followed from day to day.
func NewVisitor(hashKey []byte, at time.Time, address netip.Addr, agent, visitorID string) Visitor {
	return salted(dailySalt(hashKey, at), hashKey, address, agent, visitorID)
}

func dailySalt(hashKey []byte, at time.Time) []byte {
	m := hmac.New(sha256.New, hashKey)
	m.Write([]byte("visitor" + at.UTC().Format(time.DateOnly)))
	return m.Sum(nil)
}

func salted(salt, hashKey []byte, address netip.Addr, agent, visitorID string) (v Visitor) {
	network := ""
	if address.IsValid() {
		network = visitor.Network(address)
		v.Address = visitor.Hash(salt, "address\x00"+network)
	}
	if visitorID != "" {
		v.Key = visitor.Key(hashKey, visitorID)
		v.Hash = v.Key
		return v
	}
	v.Hash = visitor.Hash(salt, network+"|"+agent)
	return v
}

// daySalt hashes the visitors of one workspace on one day. It does what NewVisitor does without a visitor id, and keeps the states
// of the hash for the next visitor: making them anew takes longer than hashing.
type daySalt struct {
	day  string
	macs sync.Pool // of *mac
}

type mac struct {
	hash.Hash
	text []byte
	sum  [sha256.Size]byte
}

func newDaySalt(day string, salt []byte) *daySalt {
	return &daySalt{day: day, macs: sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, salt)} }}}
}

func (s *daySalt) visitor(address netip.Addr, agent string) (v Visitor) {
	m := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	hashes := make([]byte, 2*visitor.HashSize)
	v.Hash = hashes[:visitor.HashSize:visitor.HashSize]
	network := ""
	if address.IsValid() {
		network = visitor.Network(address)
		v.Address = hashes[visitor.HashSize:]
		m.hash(v.Address, "address\x00", network, "")
	}
	m.hash(v.Hash, network, "|", agent)
	return v
}

func (m *mac) hash(into []byte, a, b, c string) {
	m.text = append(append(append(m.text[:0], a...), b...), c...)
	m.Reset()
	m.Write(m.text)
	copy(into, m.Sum(m.sum[:0]))
}
