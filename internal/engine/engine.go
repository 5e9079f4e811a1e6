package engine

import (
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/payout"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/condition"
)

// Engine runs the operations. It holds no state but caches of rules documents and their conditions, which never change.
type Engine struct {
	q      *db.Queries
	log    *slog.Logger
	random io.Reader

	conditions condition.Cache
	providers  *payout.Providers

	mu        sync.RWMutex
	documents map[uuid.UUID]rules.Document
}

// New returns an engine. Without a log it keeps silent.
func New(log *slog.Logger) *Engine {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Engine{q: db.New(), log: log, random: rand.Reader, providers: payout.New(false), documents: map[uuid.UUID]rules.Document{}}
}

// PayThrough makes the engine hand payouts to these providers instead of those that reach public addresses only.
func (e *Engine) PayThrough(p *payout.Providers) *Engine {
	e.providers = p
	return e
}

// Scope is on whose behalf and when an operation runs: one per transaction. Now is the workspace's clock, in UTC and whole
// microseconds; facts are accepted from MaxPast back.
type Scope struct {
	Workspace uuid.UUID
	Test      bool
	HashKey   []byte
	Now       time.Time
	MaxPast   time.Duration
}

// How far from now a fact may claim to have occurred. The past is a setting.
const (
	DefaultMaxPast = 30 * 24 * time.Hour
	MaxFuture      = 5 * time.Minute
)

// newID makes an id. Ids are ordered by the wall clock, also where the workspace's clock is frozen; the library orders those of one
// millisecond too, by twelve of the random bits, because statements and events are read in the order of their ids.
func newID() uuid.UUID {
	return uuid.Must(uuid.NewV7())
}

// document returns the parsed rules of a version, from the cache when it was seen before.
func (e *Engine) document(v db.ProgramVersion) (rules.Document, error) {
	e.mu.RLock()
	d, ok := e.documents[v.ID]
	e.mu.RUnlock()
	if ok {
		return d, nil
	}
	d, err := rules.Parse(v.Rules)
	if err != nil {
		return d, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.documents) >= maxDocuments {
		clear(e.documents)
	}
	e.documents[v.ID] = d
	return d, nil
}

const maxDocuments = 10_000

// zone loads a program's time zone, which was checked when the program was made.
func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}
