package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Metrics counts what the engine and the API do. It is an orchestrator.Observer; it never blocks, and is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	batchEvents prometheus.Histogram
	commitTime  prometheus.Histogram
	events      *prometheus.CounterVec
	facts       prometheus.Counter
	attention   *prometheus.CounterVec
	suspended   prometheus.Counter
	residue     prometheus.Counter
	notices     *prometheus.CounterVec
	starts      *prometheus.CounterVec
	changes     *prometheus.CounterVec
	records     *prometheus.CounterVec
	publishTime prometheus.Histogram
	refused     *prometheus.CounterVec
	breakers    *prometheus.CounterVec
	requests    *prometheus.CounterVec
	requestTime *prometheus.HistogramVec
	durations   durations
}

var _ orchestrator.Observer = (*Metrics)(nil)

// NewMetrics makes Metrics with a registry of its own, which holds those of the process and of Go too.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), durations: newDurations(),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "skald_batch_events", Help: "Events of one transaction of the committer.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		commitTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "skald_commit_seconds", Help: "Time from the begin of a transaction to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skald_events_total", Help: "Events judged, by outcome."}, []string{"outcome"}),
		facts:  prometheus.NewCounter(prometheus.CounterOpts{Name: "skald_facts_total", Help: "Facts written."}),
		attention: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skald_attention_raised_total", Help: "Times that a person was asked to look at a saga."},
			[]string{"reason"}),
		suspended: prometheus.NewCounter(prometheus.CounterOpts{Name: "skald_sagas_suspended_total", Help: "Sagas that became suspended: nothing can move without a person."}),
		residue:   prometheus.NewCounter(prometheus.CounterOpts{Name: "skald_sagas_residue_total", Help: "Sagas that ended, or were found later, with something left behind."}),
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skald_webhook_notices_total", Help: "Notices to the webhook, by outcome: delivered, retried (a try that failed), given_up.",
		}, []string{"outcome"}),
		starts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skald_outside_starts_total", Help: "Starts that came as records or in SQL, by outcome: accepted, refused (and in quarantine), withheld (answers that may not go to their topic).",
		}, []string{"outcome"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skald_saga_changes_total", Help: "Sagas written, by the status they then had."},
			[]string{"status"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skald_published_records_total", Help: "Records published, by outcome."},
			[]string{"outcome"}),
		publishTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "skald_publish_seconds", Help: "Time to publish a batch's records.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skald_refused_total", Help: "Requests refused before they were accepted."},
			[]string{"reason"}),
		breakers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skald_breaker_changes_total", Help: "Breakers of participants that this replica opened, re-opened or closed.",
		}, []string{"participant", "change"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skald_http_requests_total", Help: "Requests answered."},
			[]string{"method", "route", "status"}),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "skald_http_request_seconds", Help: "Time to answer; of streams, how long they were open.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"route"}),
	}
	for _, outcome := range []string{"delivered", "retried", "given_up"} { // there from the beginning: increase() does not see a series begin at 1
		m.notices.WithLabelValues(outcome)
	}
	m.registry.MustRegister(m.batchEvents, m.commitTime, m.events, m.facts, m.attention, m.suspended, m.residue, m.notices, m.starts, m.changes, m.records, m.publishTime, m.refused, m.breakers, m.requests, m.requestTime,
		m.durations.sagas, m.durations.answers, m.durations.attempts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registry is where further collectors go.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Committed counts a transaction.
func (m *Metrics) Committed(batch orchestrator.BatchStats, changed []saga.Instance) {
	m.batchEvents.Observe(float64(batch.Events))
	m.commitTime.Observe(batch.Took.Seconds())
	m.events.WithLabelValues("applied").Add(float64(max(0, batch.Events-batch.Ignored-batch.Quarantined)))
	m.events.WithLabelValues("ignored").Add(float64(batch.Ignored))
	m.events.WithLabelValues("quarantined").Add(float64(batch.Quarantined))
	m.facts.Add(float64(batch.Facts))
	for _, reason := range batch.Raised {
		m.attention.WithLabelValues(string(reason)).Inc()
	}
	m.durations.observe(&batch.Measured)
	m.suspended.Add(float64(batch.Suspended))
	m.residue.Add(float64(batch.Residue))
	m.starts.WithLabelValues("accepted").Add(float64(batch.Starts.Accepted))
	m.starts.WithLabelValues("refused").Add(float64(batch.Starts.Refused))
	m.starts.WithLabelValues("withheld").Add(float64(batch.Starts.Withheld))
	byStatus := map[saga.Status]int{}
	for i := range changed {
		byStatus[changed[i].Status]++
	}
	for status, n := range byStatus {
		m.changes.WithLabelValues(string(status)).Add(float64(n))
	}
}

// Published counts a publish; records are all of it.
func (m *Metrics) Published(records, unknown, refused int, took time.Duration) {
	m.records.WithLabelValues("acked").Add(float64(max(0, records-unknown-refused)))
	m.records.WithLabelValues("unknown").Add(float64(unknown))
	m.records.WithLabelValues("refused").Add(float64(refused))
	m.publishTime.Observe(took.Seconds())
}

// Refused counts somebody turned away. The reasons are the engine's own few sentences.
func (m *Metrics) Refused(why string) { m.refused.WithLabelValues(why).Inc() }

// Breaker counts what became of a participant's breaker. Participants are those of definitions.
func (m *Metrics) Breaker(participant string, change orchestrator.BreakerChange) {
	m.breakers.WithLabelValues(participant, string(change)).Inc()
}

// Noticed counts what became of a notice to the webhook, or of a try.
func (m *Metrics) Noticed(outcome string) { m.notices.WithLabelValues(outcome).Inc() }

// request counts an answered request. The method is one of the few known ones: a client may send any word.
func (m *Metrics) request(method, route string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.requestTime.WithLabelValues(route).Observe(took.Seconds())
}
