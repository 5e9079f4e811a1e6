package server

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"

	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
)

// Rate is how often something may happen: PerSecond in the long run, Burst at once (0: ten seconds' worth). The zero value means
// without limit.
type Rate struct {
	PerSecond int
	Burst     int
}

// mostLimited bounds the memory of a limiter; the least recently seen are forgotten first.
const mostLimited = 50_000

// limiter is GCRA per name, in this process only: several servers allow several times the rate.
type limiter struct {
	gcra   *throttled.GCRARateLimiterCtx
	policy string
}

// newLimiter gives nil for the zero rate; a nil limiter allows everything.
func newLimiter(name string, rate Rate) (*limiter, error) {
	if rate.PerSecond <= 0 {
		return nil, nil
	}
	memory, err := memstore.NewCtx(mostLimited)
	if err != nil {
		return nil, err
	}
	orElse(&rate.Burst, 10*rate.PerSecond)
	quota := throttled.RateQuota{MaxRate: throttled.PerSec(rate.PerSecond), MaxBurst: rate.Burst - 1}
	gcra, err := throttled.NewGCRARateLimiterCtx(memory, quota)
	if err != nil {
		return nil, fmt.Errorf("rate limit %s: %w", name, err)
	}
	gcra.SetMaxCASAttemptsLimit(math.MaxInt32)                   // losing a race is no reason to let a request through or fail it
	window := (rate.Burst + rate.PerSecond - 1) / rate.PerSecond // how long it takes to fill again
	return &limiter{gcra: gcra, policy: fmt.Sprintf("%q;q=%d;w=%d", name, quota.MaxBurst+1, window)}, nil
}

// take uses one unit of the name's quota, or none when it only asks.
func (l *limiter) take(ctx context.Context, name string, units int) (throttled.RateLimitResult, error) {
	refused, result, err := l.gcra.RateLimitCtx(ctx, name, units)
	if err != nil {
		return result, problem.Internal.Wrap(err)
	}
	if refused || units == 0 && result.Remaining == 0 {
		return result, problem.RateLimited.With("The quota is used up.").After(max(result.RetryAfter, time.Second))
	}
	return result, nil
}

// limitKey takes one request from the quota of the principal's key and says in the headers what is left.
func (l *limiter) limitKey(ctx context.Context, h http.Header, p Principal) error {
	if l == nil {
		return nil
	}
	result, err := l.take(ctx, p.WorkspaceID.String()+p.KeyID.String(), 1)
	h.Set("RateLimit-Policy", l.policy)
	h.Set("RateLimit", `"key";r=`+strconv.Itoa(result.Remaining)+`;t=`+retryAfter(result.ResetAfter))
	return err
}

// missBudget slows down those who guess codes or keys: look-ups that find nothing use up a budget per network and one for all. A network
// whose budget is used up gets 429 whatever it asks for. When only the common one is, hits are still answered, so that guessing
// from many networks cannot stop the visitors of everybody else.
type missBudget struct {
	network *limiter
	common  *limiter
	refill  time.Duration // after which every budget of a network is whole again
	last    atomic.Int64  // when something was missed last, in nanoseconds since 1970
}

func newMissBudget(network, common Rate) (*missBudget, error) {
	n, err := newLimiter("misses", network)
	if err != nil {
		return nil, err
	}
	c, err := newLimiter("misses", common)
	refill := time.Duration(network.Burst/max(network.PerSecond, 1)+1) * time.Second
	return &missBudget{network: n, common: c, refill: refill}, err
}

// check refuses a network that has guessed too often; call it before the look-up.
func (b *missBudget) check(ctx context.Context, client netip.Addr) error {
	if b.network == nil || time.Since(time.Unix(0, b.last.Load())) > b.refill {
		return nil
	}
	_, err := b.network.take(ctx, visitor.Network(client), 0)
	return err
}

// miss records a look-up that found nothing; its error, if any, is the answer instead of "not found".
func (b *missBudget) miss(ctx context.Context, client netip.Addr) error {
	b.last.Store(time.Now().UnixNano())
	if b.network != nil {
		if _, err := b.network.take(ctx, visitor.Network(client), 1); err != nil {
			return err
		}
	}
	if b.common != nil {
		_, err := b.common.take(ctx, "all", 1)
		return err
	}
	return nil
}
