package api

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestMetrics_DurationsByDefinitionAndStep(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	m.Committed(orchestrator.BatchStats{Measured: orchestrator.Measured{
		Attempts: []orchestrator.StepMeasure{{Saga: "order", Step: "reserve", Verb: saga.Execute}, {Saga: "order", Step: "reserve", Verb: saga.Execute}, {Saga: "order", Step: "reserve", Verb: saga.Compensate}},
		Answered: []orchestrator.StepMeasure{{Saga: "order", Step: "reserve", Verb: saga.Execute, Took: 1500 * time.Millisecond}},
		Ended:    []orchestrator.SagaMeasure{{Saga: "order", Status: saga.Compensated, Took: 2 * time.Second}},
	}}, nil)
	text := scrape(t, m)
	for _, line := range []string{
		`skald_step_attempts_total{saga="order",step="reserve",verb="execute"} 2`, `skald_step_attempts_total{saga="order",step="reserve",verb="compensate"} 1`,
		`skald_step_answer_seconds_sum{saga="order",step="reserve",verb="execute"} 1.5`, `skald_step_answer_seconds_count{saga="order",step="reserve",verb="execute"} 1`,
		`skald_saga_seconds_sum{saga="order",status="compensated"} 2`,
	} {
		require.Contains(t, text, line)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestMetrics_ParticipantsAndBreakers(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	b := setup(t, func(c *Config) { c.Metrics = m })
	m.WatchParticipants(b.api, []string{"default"})
	b.engine.groups = map[string]orchestrator.Group{"payments": {Members: 2, End: map[int32]int64{0: 7}, Next: map[int32]int64{0: 4}}}
	b.engine.holds = []orchestrator.HoldRow{
		{ID: 1, Hold: orchestrator.Hold{Tenant: "default", Scope: orchestrator.HoldParticipant, Name: "payments", Kind: orchestrator.HoldBreaker}},
		{ID: 2, Hold: orchestrator.Hold{Tenant: "default", Scope: orchestrator.HoldParticipant, Name: "orders", Kind: orchestrator.HoldOperator}},
	}
	text := scrape(t, m)
	for _, line := range []string{
		`skald_participant_lag{participant="payments"} 3`, `skald_participant_consumers{participant="payments"} 2`, `skald_breaker_open{participant="payments",tenant="default"} 1`,
		`skald_breaker_open{participant="orders",tenant="default"} 0`,
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, `skald_participant_lag{participant="orders"}`, "what cannot be read is left out")
}
