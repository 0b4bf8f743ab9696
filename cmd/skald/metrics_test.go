package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// An alert that asks for an increase hears of the first reset too.
func TestKafkaHooks_ResetsBeginAtZero(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	hooks := kafkaHooks(registry, "skald.replies", "skald.starts")
	hooks.OffsetReset("skald.starts", 3)
	families, err := registry.Gather()
	require.NoError(t, err)
	resets := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "skald_kafka_offset_resets_total" {
				resets[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	require.Equal(t, map[string]float64{"skald.replies": 0, "skald.starts": 1}, resets)
}
