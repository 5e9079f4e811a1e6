package worker

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what was done. Labels come from a closed set: the tasks of a turn.
type metrics struct {
	done     *prometheus.CounterVec
	failures *prometheus.CounterVec
	seconds  prometheus.Gauge
	lag      prometheus.GaugeFunc

	now  func() time.Time
	upTo atomic.Pointer[time.Time] // when the last turn began that did everything
}

func newMetrics(now func() time.Time) *metrics {
	m := &metrics{
		now: now,
		done: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grapevine_worker_done_total",
			Help: "Rewards matured, referrals expired, conversions priced, erasures completed, events sealed, idempotency keys deleted, tables analysed.",
		}, []string{"task"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grapevine_worker_failures_total", Help: "Background work that failed and is tried again.",
		}, []string{"task"}),
		seconds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grapevine_worker_turn_seconds", Help: "How long the last turn through all workspaces took.",
		}),
	}
	m.lag = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "grapevine_worker_lag_seconds", Help: "How long ago everything that was due had been done.",
	}, func() float64 { return m.now().Sub(*m.upTo.Load()).Seconds() })
	began := now()
	m.upTo.Store(&began)
	for _, task := range []string{"mature", "expire", "price", "erase", "resettle", "seal", "forget_keys", "analyze"} {
		m.done.WithLabelValues(task) // a counter that is missing until its first count cannot be watched
	}
	for _, task := range []string{"list_workspaces", "due", "fold_clicks", "forget_keys", "partitions", "analyze"} {
		m.failures.WithLabelValues(task)
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.done, m.failures, m.seconds, m.lag}
}

func (m *metrics) did(task string, n int) { m.done.WithLabelValues(task).Add(float64(n)) }
func (m *metrics) failed(task string)     { m.failures.WithLabelValues(task).Inc() }

func (m *metrics) turned(began time.Time, complete bool) {
	m.seconds.Set(m.now().Sub(began).Seconds())
	if complete {
		m.upTo.Store(&began)
	}
}
