package orchestrator_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// measuring keeps what transactions measured.
type measuring struct {
	orchestrator.Observer
	got orchestrator.Measured
}

func (m *measuring) Committed(stats orchestrator.BatchStats, _ []saga.Instance) {
	m.got.Attempts = append(m.got.Attempts, stats.Measured.Attempts...)
	m.got.Answered = append(m.got.Answered, stats.Measured.Answered...)
	m.got.Ended = append(m.got.Ended, stats.Measured.Ended...)
}

func (*measuring) Published(int, int, int, time.Duration) {}

func TestMeasured_AttemptsAnswersAndEnds(t *testing.T) {
	t.Parallel()
	m := &measuring{}
	b := setup(t, func(cfg *orchestrator.Config) { cfg.Observer = m })
	id := b.start(errand())
	b.machine.now = b.machine.now.Add(time.Second)
	b.answer(reply(id, "run", saga.ReplyFailed))
	b.machine.now = b.machine.now.Add(2 * time.Second)
	b.engine.FireTimers(t.Context())
	b.turn() // sent again
	b.publish()
	b.machine.now = b.machine.now.Add(time.Second)
	b.answer(reply(id, "run", saga.ReplySucceeded, of(saga.Execute, 2)))
	b.machine.now = b.machine.now.Add(3 * time.Second)
	b.answer(reply(id, "report", saga.ReplyRejected))
	b.machine.now = b.machine.now.Add(2 * time.Second)
	b.answer(reply(id, "run", saga.ReplySucceeded, of(saga.Compensate, 1)))
	require.Equal(t, saga.Compensated, b.saga(id).Status)
	step := func(name string, verb saga.Verb, took time.Duration) orchestrator.StepMeasure {
		return orchestrator.StepMeasure{Saga: "errand", Step: name, Verb: verb, Took: took}
	}
	require.Empty(t, cmp.Diff(orchestrator.Measured{
		Attempts: []orchestrator.StepMeasure{step("run", saga.Execute, 0), step("run", saga.Execute, 0), step("report", saga.Execute, 0), step("run", saga.Compensate, 0)},
		Answered: []orchestrator.StepMeasure{
			step("run", saga.Execute, time.Second), step("run", saga.Execute, time.Second), step("report", saga.Execute, 3*time.Second), step("run", saga.Compensate, 2*time.Second),
		},
		Ended: []orchestrator.SagaMeasure{{Saga: "errand", Status: saga.Compensated, Took: 9 * time.Second}},
	}, m.got))
}
