package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics counts requests. Every label comes from a closed set: operations of the contract, methods of HTTP, classes of status;
// what a caller can choose freely (paths, codes, agents) is never one.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	unlogged prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grapevine_http_requests_total", Help: "Requests answered.",
		}, []string{"operation", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grapevine_http_request_seconds", Help: "Time from the head of a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grapevine_http_requests_in_flight", Help: "Requests being worked on.",
		}),
		unlogged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grapevine_http_requests_unlogged_total", Help: "Requests that the access log left out because there were too many in one second.",
		}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.inFlight, m.unlogged, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

var knownMethods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true,
	http.MethodDelete: true, http.MethodOptions: true,
}

func (m *metrics) observe(req *request, status int, took time.Duration) {
	method := req.method
	if !knownMethods[method] {
		method = "other"
	}
	operation := req.operationID()
	m.requests.WithLabelValues(operation, method, strconv.Itoa(status/100)+"xx").Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

// watchPool adds the state of the database's connections.
func (m *metrics) watchPool(stat func() *pgxpool.Stat) {
	for name, value := range map[string]func(*pgxpool.Stat) int32{
		"acquired": (*pgxpool.Stat).AcquiredConns, "idle": (*pgxpool.Stat).IdleConns, "max": (*pgxpool.Stat).MaxConns,
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "grapevine_database_connections", Help: "Connections to the database.", ConstLabels: prometheus.Labels{"state": name},
		}, func() float64 { return float64(value(stat())) }))
	}
}
