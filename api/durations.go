package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skaldhq/skald/orchestrator"
)

// durations are by definition and step. Their labels are bounded by the registered definitions: names, not versions, keys or tenants.
type durations struct {
	sagas    *prometheus.HistogramVec
	answers  *prometheus.HistogramVec
	attempts *prometheus.CounterVec
}

func newDurations() durations {
	return durations{
		sagas: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "skald_saga_seconds", Help: "Time from the start of a saga to its end, by definition and the status that it ended with.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 12), // to 11 h
		}, []string{"saga", "status"}),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "skald_step_answer_seconds", Help: "Time from the decision to send an attempt to the answer that ended it, by definition, step and verb.",
			Buckets: prometheus.ExponentialBuckets(0.002, 3, 11), // to 2 min
		}, []string{"saga", "step", "verb"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skald_step_attempts_total", Help: "Attempts of commands, by definition, step and verb; those with verb compensate undo. Past max_attempts one in a hundred counts.",
		}, []string{"saga", "step", "verb"}),
	}
}

func (d *durations) observe(m *orchestrator.Measured) {
	for _, s := range m.Ended {
		d.sagas.WithLabelValues(s.Saga, string(s.Status)).Observe(s.Took.Seconds())
	}
	for _, s := range m.Answered {
		d.answers.WithLabelValues(s.Saga, s.Step, string(s.Verb)).Observe(s.Took.Seconds())
	}
	for _, s := range m.Attempts {
		d.attempts.WithLabelValues(s.Saga, s.Step, string(s.Verb)).Inc()
	}
}
