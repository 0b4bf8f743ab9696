package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skaldhq/skald/orchestrator/kafka"
)

// kafkaHooks counts what happens on the way to and from Kafka. Resets of the topics that are read are there from the beginning, at 0:
// increase() does not see a series begin at 1.
func kafkaHooks(registry *prometheus.Registry, topics ...string) kafka.Hooks {
	resets := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "skald_kafka_offset_resets_total",
		Help: "Times that a partition's committed offset was gone and reading went back to the oldest record: replies may have been lost, somebody must look.",
	}, []string{"topic"})
	poisoned := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "skald_kafka_poisoned_records_total",
		Help: "Records read that can never be applied, by reason.",
	}, []string{"reason"})
	rebuilt := prometheus.NewCounter(prometheus.CounterOpts{Name: "skald_kafka_producer_rebuilt_total", Help: "Producers given up because they gave no result."})
	failed := prometheus.NewCounter(prometheus.CounterOpts{Name: "skald_kafka_consumer_failures_total", Help: "Times that reading replies stopped with an error and began again."})
	for _, topic := range topics {
		resets.WithLabelValues(topic)
	}
	registry.MustRegister(resets, poisoned, rebuilt, failed)
	return kafka.Hooks{
		OffsetReset:     func(topic string, _ int32) { resets.WithLabelValues(topic).Inc() },
		Poisoned:        func(reason string) { poisoned.WithLabelValues(reason).Inc() },
		ProducerRebuilt: rebuilt.Inc,
		ConsumerFailed:  func(error) { failed.Inc() },
	}
}

// watchAssignment shows how many partitions of the reply topic this replica reads.
func watchAssignment(registry *prometheus.Registry, broker *kafka.Broker) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "skald_kafka_assigned_partitions",
		Help: "Partitions of the reply topic that this replica reads.",
	}, func() float64 { return float64(broker.Assigned()) }))
}
