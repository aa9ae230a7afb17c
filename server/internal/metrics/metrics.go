//go:build !js

package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the observer of a server. It is safe for concurrent use.
type Metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	limits    *prometheus.CounterVec
	closed    *prometheus.CounterVec
	resyncs   prometheus.Counter
	appends   prometheus.Histogram
	delivery  prometheus.Histogram
	writes    prometheus.Histogram
	written   prometheus.Counter
}

// New makes metrics of a server of that version.
func New(version string) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	times := func(name, help string, least float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(least, 2, 16)})
	}
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		decisions: counters("chat_decisions_total", "Decisions about access.", "action", "decision", "reason"),
		refusals:  counters("chat_refusals_total", "Requests and frames answered with an error.", "code"),
		limits:    counters("chat_limits_hit_total", "Times a limit was hit, by its name.", "limit"),
		closed:    counters("chat_connections_closed_total", "Sockets ended by the server.", "code"),
		resyncs:   counter("chat_resyncs_total", "Clients whose cursor could not be used, given all anew."),
		appends:   times("chat_append_seconds", "Time of transactions that appended events, until durable.", 0.000_1),
		delivery:  times("chat_delivery_seconds", "Time from durable until queued for all connections here that joined.", 0.000_01),
		writes:    times("chat_write_seconds", "Time of writing one message to a socket.", 0.000_01),
		written:   counter("chat_written_bytes_total", "Bytes of messages written to sockets."),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "chat_build_info", Help: "The version that runs.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	m.registry.MustRegister(
		m.decisions, m.refusals, m.limits, m.closed, m.resyncs, m.appends, m.delivery, m.writes, m.written, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Connections adds the number of open sockets, which open tells. Call it once.
func (m *Metrics) Connections(open func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "chat_connections", Help: "Open sockets."}, func() float64 {
		return float64(open())
	}))
}

// Handler serves the metrics in Prometheus' formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Decided counts a decision about access.
func (m *Metrics) Decided(action, reason string, allowed bool) {
	decision := "denied"
	if allowed {
		decision = "allowed"
	}
	m.decisions.WithLabelValues(action, decision, reason).Inc()
}

// Appended observes how long a transaction took that appended events.
func (m *Metrics) Appended(took time.Duration) { m.appends.Observe(took.Seconds()) }

// Delivered observes how long it took to queue events for all who joined.
func (m *Metrics) Delivered(took time.Duration) { m.delivery.Observe(took.Seconds()) }

// Resynced counts a client whose cursor could not be used.
func (m *Metrics) Resynced() { m.resyncs.Inc() }

// Refused counts an answer that is an error.
func (m *Metrics) Refused(code string) { m.refusals.WithLabelValues(code).Inc() }

// Limited counts a limit that was hit.
func (m *Metrics) Limited(limit string) { m.limits.WithLabelValues(limit).Inc() }

// Closed counts a socket that the server ended.
func (m *Metrics) Closed(code string) { m.closed.WithLabelValues(code).Inc() }

// Wrote observes how long it took to write one message to a socket.
func (m *Metrics) Wrote(took time.Duration, bytes int) {
	m.writes.Observe(took.Seconds())
	m.written.Add(float64(bytes))
}
