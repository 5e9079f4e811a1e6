package clicks

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Clicks follows links.
type Clicks struct {
	log         *slog.Logger
	directories *cache[struct{}, *directory]
	targets     *cache[targetKey, *target]
	agents      *agents
	repeats     *repeats
	lane        *lane
	metrics     *metrics
}

// New starts the lane. Stop ends it.
func New(s *store.Store, log *slog.Logger) *Clicks {
	query := db.New()
	l := &lookup{store: s, query: query}
	return &Clicks{
		log:         log,
		directories: newCache(l.directory),
		targets:     newCache(l.targets),
		agents:      newAgents(),
		repeats:     newRepeats(),
		lane:        startLane(s, log),
		metrics:     newMetrics(),
	}
}

// Stop commits the clicks that are queued and takes no more; links are still followed, without an id. It returns early, with ctx's
// error, when the database does not let it finish.
func (c *Clicks) Stop(ctx context.Context) error { return c.lane.stop(ctx) }

// Forget makes the next click of a workspace see what this process has just changed: a code, a program, the workspace or its clock.
// Other processes see it within 2 s.
func (c *Clicks) Forget(workspaceID uuid.UUID) {
	c.directories.forget(func(struct{}) bool { return true })
	c.targets.forget(func(key targetKey) bool { return key.workspace == workspaceID })
}

// Visit is a request for a link.
type Visit struct {
	Workspace string // the slug in the path; empty: found by the host
	Host      string
	Code      string
	Method    string // as it was sent
	Header    http.Header
	Address   netip.Addr
	Path      string // where on the landing host to go instead of the landing address
	Campaign  landing.Campaign
	Consent   string
}

// Followed is what became of a visit.
type Followed struct {
	Location string // never empty
	Class    Class
	Stored   bool // whether the click is known to be committed
}

// Follow stores a click and says where the visitor goes. It fails with problem.NotFound when there is no such code, and with
// problem.Unavailable when nothing is known of it and the database cannot be asked.
func (c *Clicks) Follow(ctx context.Context, v *Visit) (Followed, error) {
	w, t, err := c.find(ctx, v)
	if err != nil {
		return Followed{}, err
	}
	if t.erased {
		return Followed{Class: Human, Stored: true, Location: t.landing.Destination(v.Path, v.Campaign.Tidy(), "")}, nil
	}
	wall := time.Now()
	at := w.now(wall)
	agent := v.Header.Get("User-Agent")
	visitor := w.saltOf(at).visitor(v.Address, agent)
	visit := visitOf(visitor, t.code)
	class := c.repeats.note(visit, classify(c.agents.robot(agent), v.Method, v.Header), v.Method == http.MethodHead, at, wall)
	campaign := v.Campaign.Tidy()
	click := db.Click{
		WorkspaceID: w.id, ID: newID(wall), ProgramID: t.program, CodeID: t.code, ReferrerID: t.referrer,
		Classification: string(class), Source: "redirect", Consent: consent(v.Consent),
		Visitor: visitor.Hash, AddressHash: visitor.Address, Utm: campaignJSON(campaign), ReferrerHost: ReferrerHost(v.Header.Get("Referer")),
		Day: calendar.Day(at, t.zone), OccurredAt: at, ReceivedAt: at,
	}
	f := Followed{Class: class, Stored: true}
	err = c.lane.commit(&click)
	c.metrics.count(class, err)
	if err != nil {
		f.Stored = false
		c.repeats.forget(visit)
	}
	id := ""
	if f.Stored && (class == Human || class == Repeat) {
		id = click.ID.String()
	}
	f.Location = t.landing.Destination(v.Path, campaign, id)
	return f, nil
}

// find looks the link up.
func (c *Clicks) find(ctx context.Context, v *Visit) (*workspace, *target, error) {
	folded := code.Fold(v.Code)
	if !foldable(folded) {
		return nil, nil, problem.NotFound
	}
	d, err := c.directories.get(ctx, struct{}{})
	if err != nil {
		return nil, nil, problem.Unavailable.Wrap(err)
	}
	w := d.find(v.Workspace, v.Host)
	if w == nil {
		return nil, nil, problem.NotFound
	}
	t, err := c.targets.get(ctx, targetKey{w.id, folded})
	if err != nil {
		return nil, nil, problem.Unavailable.Wrap(err)
	}
	if t != nil {
		return w, t, nil
	}
	if t, err = c.targets.get(ctx, targetKey{w.id, code.Erased(w.hashKey, folded)}); err != nil {
		return nil, nil, problem.Unavailable.Wrap(err)
	}
	if t == nil {
		return nil, nil, problem.NotFound
	}
	erased := *t
	erased.erased = true
	return w, &erased, nil
}

// foldable says whether a folded value can be a code at all, so that nothing else reaches the cache and the database.
func foldable(folded string) bool {
	if len(folded) < 3 || len(folded) > 40 {
		return false
	}
	for _, b := range []byte(folded) {
		if (b < 'A' || b > 'Z') && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}

func consent(value string) string {
	switch value {
	case "granted", "denied":
		return value
	}
	return "unknown"
}

// campaignJSON is how a campaign is stored; nil when there is nothing to store.
func campaignJSON(c landing.Campaign) json.RawMessage {
	if c == (landing.Campaign{}) {
		return nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil // strings can always be written
	}
	return text
}

// ReferrerHost is the host of a referring page, the only part of it that is stored; nil when there is none.
func ReferrerHost(page string) *string {
	if page == "" {
		return nil
	}
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "android-app" {
		return nil
	}
	host := strings.ToLower(u.Hostname())
	if host == "" || len(host) > 253 || strings.Trim(host, ".-") != host {
		return nil
	}
	for _, b := range []byte(host) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '.' {
			return nil // no name that the contract can give
		}
	}
	return &host
}
