package clicks

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts visits through links by class and by what became of them. Both are closed sets.
type metrics struct {
	followed *prometheus.CounterVec
	counters map[counted]prometheus.Counter // looking these up by label takes longer than the rest of the counting
}

type counted struct {
	class   Class
	outcome string
}

// What becomes of a visit: its click is committed, or the visitor is sent on without an acknowledgement.
const (
	committed = "committed"
	queueFull = "queue_full"
	tooSlow   = "too_slow"
	stopping  = "stopping"
	failed    = "failed"
)

func newMetrics() *metrics {
	m := &metrics{
		followed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grapevine_clicks_total",
			Help: "Visits through links. All but the committed ones were sent on without an acknowledgement.",
		}, []string{"class", "outcome"}),
		counters: map[counted]prometheus.Counter{},
	}
	for _, class := range []Class{Human, Bot, Prefetch, Repeat} {
		for _, outcome := range []string{committed, queueFull, tooSlow, stopping, failed} {
			m.counters[counted{class, outcome}] = m.followed.WithLabelValues(string(class), outcome)
		}
	}
	return m
}

func (m *metrics) count(class Class, err error) {
	outcome := failed
	switch {
	case err == nil:
		outcome = committed
	case errors.Is(err, ErrBusy):
		outcome = queueFull
	case errors.Is(err, ErrSlow):
		outcome = tooSlow
	case errors.Is(err, ErrStopped):
		outcome = stopping
	}
	m.counters[counted{class, outcome}].Inc()
}

// Metrics gives what is counted.
func (c *Clicks) Metrics() []prometheus.Collector {
	return []prometheus.Collector{c.metrics.followed}
}
