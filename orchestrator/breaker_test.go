package orchestrator_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// hastyDefinition gives up after two attempts.
const hastyDefinition = `
saga: hasty
version: 1
deadline: 2m
defaults: {timeout: 5s, retry: {max_attempts: 2, initial: 5s, max: 5s}}
steps:
  - {name: run, participant: runner, command: Run.v1, compensation: {command: Unrun.v1}}
  - {name: report, participant: runner, command: Report.v1, compensation: {command: Unreport.v1}}
`

func breaking(cfg *orchestrator.Config) {
	cfg.WatchEvery = time.Second
	cfg.Breaker = orchestrator.Breaker{
		Window: 30 * time.Second, Answers: 20, Sagas: 5, Share: 0.5, Pause: 10 * time.Second, PauseMax: 40 * time.Second, Try: 30 * time.Second,
	}
}

// outage is a participant whose answers a test decides, with everything around it going on, a second at a time.
type outage struct {
	*testBundle
	answer func(orchestrator.Record) saga.ReplyOutcome // empty: none
	hasty  bool                                        // which definition to start
	ids    []saga.ID
}

// second lets one pass: starts so many sagas, and has everybody do what is due.
func (o *outage) second(starts int) {
	o.t.Helper()
	for range starts {
		req := errand()
		if o.hasty {
			req.Saga = "hasty"
		}
		a := o.offer(req)
		o.turn()
		require.NoError(o.t, a.err)
		o.ids = append(o.ids, a.got.ID)
	}
	o.machine.now = o.machine.now.Add(time.Second)
	o.engine.FireTimers(o.t.Context())
	o.engine.Sweep(o.t.Context())
	o.settle()
	for _, c := range o.broker.commands() {
		if outcome := o.answer(c); outcome != "" {
			o.broker.send(reply(c.Saga, c.Step, outcome, func(d *orchestrator.Delivery) {
				d.Reply.Verb, d.Reply.Edition, d.Reply.Attempt = c.Verb, c.Edition, c.Attempt
			}))
		}
	}
	o.receive()
	o.settle()
	o.engine.Watch(o.t.Context())
}

func (o *outage) settle() {
	for o.engine.Intake() > 0 {
		o.turn()
	}
	o.publish()
}

func (o *outage) statuses() map[saga.Status]int {
	n := map[saga.Status]int{}
	for _, id := range o.ids {
		n[o.saga(id).Status]++
	}
	return n
}

func (o *outage) breaker() *orchestrator.HoldRow {
	o.t.Helper()
	rows, err := o.engine.Holds(o.t.Context(), tenant)
	require.NoError(o.t, err)
	for i := range rows {
		if rows[i].Kind == orchestrator.HoldBreaker {
			return &rows[i]
		}
	}
	return nil
}

// until lets seconds pass until the breaker is in a state; empty: there is none.
func (o *outage) until(state orchestrator.HoldState, starts int) *orchestrator.HoldRow {
	o.t.Helper()
	for range 300 {
		row := o.breaker()
		if row == nil && state == "" || row != nil && row.State() == state {
			return row
		}
		o.second(starts)
	}
	require.FailNow(o.t, "the breaker is never "+string(state))
	return nil
}

// actions are what the engine did by itself, in order.
func (o *outage) actions() (out []string) {
	o.t.Helper()
	entries, err := o.memory.Audit(o.t.Context(), tenant, 0, 100)
	require.NoError(o.t, err)
	for _, e := range entries {
		if e.Actor == orchestrator.EngineActor {
			out = append([]string{e.Action}, out...)
			require.Equal(o.t, "participant runner", e.Target)
			require.NotEmpty(o.t, e.Reason)
		}
	}
	return out
}

func always(outcome saga.ReplyOutcome) func(orchestrator.Record) saga.ReplyOutcome {
	return func(orchestrator.Record) saga.ReplyOutcome { return outcome }
}

// An outage of many times what the attempts of a saga last, in each way of being out: no saga is compensated for it.
func TestBreaker_AnOutageCompensatesNothing(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]saga.ReplyOutcome{"Failing": saga.ReplyFailed, "Silent": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &outage{testBundle: setup(t, breaking), answer: always(saga.ReplySucceeded)}
			_, _, err := o.engine.PutDefinition(t.Context(), tenant, []byte(hastyDefinition), true, "tester", "r-0")
			require.NoError(t, err)
			o.hasty = true
			for range 3 {
				o.second(5)
			}
			require.Nil(t, o.breaker(), "it answers")
			o.answer = always(down)
			first := o.until(orchestrator.HoldHolding, 10)
			require.Contains(t, first.Reason, "failures or timeouts")
			for range 240 {
				o.second(2)
			}
			again := o.breaker()
			require.NotNil(t, again)
			require.Equal(t, first.ID, again.ID, "it is one hold")
			require.Greater(t, again.Trips, 2)
			require.Equal(t, first.From, again.From)
			require.NotContains(t, o.statuses(), saga.Compensating)

			o.answer = always(saga.ReplySucceeded)
			o.until("", 2)
			for range 90 {
				o.second(0)
			}
			require.Equal(t, map[saga.Status]int{saga.Completed: len(o.ids)}, o.statuses())
			actions := o.actions()
			require.Equal(t, "breaker.opened", actions[0])
			require.Contains(t, actions[1:], "breaker.reopened")
			require.Equal(t, "breaker.closed", actions[len(actions)-1])
		})
	}
}

// What is no outage opens no breaker: too few answers, failures of few sagas, too small a share, and rejections.
func TestBreaker_StaysClosed(t *testing.T) {
	t.Parallel()
	failing := func(n int) func(orchestrator.Record) saga.ReplyOutcome { // every nth
		k := 0
		return func(orchestrator.Record) saga.ReplyOutcome {
			if k++; k%n == 0 {
				return saga.ReplyFailed
			}
			return saga.ReplySucceeded
		}
	}
	for name, c := range map[string]struct {
		answer func(orchestrator.Record) saga.ReplyOutcome
		starts int
		change func(*orchestrator.Config)
	}{
		"FewAnswers": {always(saga.ReplyFailed), 5, func(cfg *orchestrator.Config) { cfg.Breaker.Answers = 10_000 }},
		"FewSagas":   {always(saga.ReplyFailed), 5, func(cfg *orchestrator.Config) { cfg.Breaker.Sagas = 10_000 }},
		"SmallShare": {failing(3), 5, func(*orchestrator.Config) {}},
		"Rejections": {always(saga.ReplyRejected), 5, func(*orchestrator.Config) {}},
		"TurnedOff":  {always(saga.ReplyFailed), 5, func(cfg *orchestrator.Config) { cfg.Breaker = orchestrator.Breaker{} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &outage{testBundle: setup(t, breaking, c.change), answer: c.answer}
			for range 20 {
				o.second(c.starts)
				require.Nil(t, o.breaker())
			}
			require.Empty(t, o.actions())
		})
	}
}

// An operator's word wins: a breaker that he ended stays off for a while, and under his own hold the engine sets none.
func TestBreaker_OperatorsWin(t *testing.T) {
	t.Parallel()
	o := &outage{testBundle: setup(t, breaking), answer: always(saga.ReplyFailed)}
	row := o.until(orchestrator.HoldHolding, 10)
	require.NoError(t, o.engine.EndHold(t.Context(), tenant, row.ID, orchestrator.Release{By: "ada", Reason: "I know better", RequestID: "r-1"}))
	for range 30 {
		o.second(10)
		require.Nil(t, o.breaker())
	}
	require.Equal(t, []string{"breaker.opened"}, o.actions())
	row = o.until(orchestrator.HoldHolding, 10)
	require.Equal(t, 1, row.Trips, "a new outage, as far as anybody knows")

	o = &outage{testBundle: setup(t, breaking), answer: always(saga.ReplyFailed)}
	o.second(10)
	_, _, err := o.engine.PutHold(t.Context(), orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "runner", Reason: "maintenance"}, "ada", "r-1")
	require.NoError(t, err)
	for range 30 {
		o.second(10)
	}
	require.Nil(t, o.breaker())
}

// A breaker that nobody looks after lets all through in the end, whoever opened it.
func TestBreaker_EndsByItself(t *testing.T) {
	t.Parallel()
	o := &outage{testBundle: setup(t, breaking), answer: always(saga.ReplyFailed)}
	o.until(orchestrator.HoldHolding, 10)
	o.engine = o.replica() // without a breaker; the one that had it is gone
	o.answer = always(saga.ReplySucceeded)
	for range 120 {
		o.second(0)
	}
	require.Equal(t, map[saga.Status]int{saga.Completed: len(o.ids)}, o.statuses())
	require.Equal(t, []string{"breaker.opened"}, o.actions())
	o.engine = o.replica(breaking)
	o.second(0)
	require.Equal(t, []string{"breaker.opened", "breaker.closed"}, o.actions(), "it is recorded when somebody comes by")
}

// Replicas that see the same outage have one breaker.
func TestBreaker_IsOneForAllReplicas(t *testing.T) {
	t.Parallel()
	o := &outage{testBundle: setup(t, breaking), answer: always("")}
	type replica struct {
		engine  *orchestrator.Engine
		workers map[string]func(context.Context)
	}
	first := replica{o.engine, o.workers}
	second := replica{o.replica(breaking), o.workers}
	seen := func(r replica) { // 24 failures, in one batch, and no look yet
		o.engine, o.workers = r.engine, r.workers
		for range 24 {
			o.broker.send(reply(o.start(errand()), "run", saga.ReplyFailed))
		}
		o.receive()
		o.settle()
	}
	seen(first)
	seen(second)
	for range 2 {
		first.engine.Watch(t.Context())
		second.engine.Watch(t.Context())
	}
	require.NotNil(t, o.breaker())
	require.Equal(t, []string{"breaker.opened"}, o.actions())
}
