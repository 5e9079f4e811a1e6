package worker

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The labels, closed sets all of them: what is counted when it is done, what can be found overdue, and what can fail.
var (
	doneTasks = []string{
		"mature", "expire_rewards", "expire", "resettle", "price", "close_periods", "payouts", "erase", "seal", "forget_keys",
		"drop_clicks", "analyze",
	}
	dueTasks = []string{
		"mature", "expire_rewards", "expire", "resettle", "price", "close_periods", "payouts", "erase", "seal", "forget_keys", "fold_clicks",
		"partitions", "drop_clicks",
	}
	failingTasks = []string{"list_workspaces", "due", "fold_clicks", "forget_keys", "measure", "partitions", "drop_clicks", "analyze"}
)

// metrics counts what was done, and tells what was left.
type metrics struct {
	done     *prometheus.CounterVec
	failures *prometheus.CounterVec
	due      *prometheus.GaugeVec
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
			Help: "Background work that was done, by task: rewards matured, sales priced, events sealed, and so on.",
		}, []string{"task"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grapevine_worker_failures_total", Help: "Background work that failed and is tried again.",
		}, []string{"task"}),
		due: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "grapevine_worker_due_seconds",
			Help: "For how long the oldest work that the last turn left had been due, by the clock of its workspace; 0 when none was left.",
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
	for _, task := range doneTasks {
		m.done.WithLabelValues(task) // what is missing until its first count cannot be watched
	}
	for _, task := range dueTasks {
		m.due.WithLabelValues(task)
	}
	for _, task := range failingTasks {
		m.failures.WithLabelValues(task)
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.done, m.failures, m.due, m.seconds, m.lag}
}

func (m *metrics) did(task string, n int) { m.done.WithLabelValues(task).Add(float64(n)) }
func (m *metrics) failed(task string)     { m.failures.WithLabelValues(task).Inc() }

// left tells what a turn has left: since when the oldest work of each task has been due.
func (m *metrics) left(ages map[string]time.Duration) {
	for _, task := range dueTasks {
		m.due.WithLabelValues(task).Set(ages[task].Seconds())
	}
}

func (m *metrics) turned(began time.Time, complete bool) {
	m.seconds.Set(m.now().Sub(began).Seconds())
	if complete {
		m.upTo.Store(&began)
	}
}
