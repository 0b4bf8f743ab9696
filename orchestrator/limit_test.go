package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func limited(b *testBundle) func(*orchestrator.Config) {
	return func(cfg *orchestrator.Config) { cfg.Limits = b.memory }
}

// limitBundle is an engine with limits.
func limitBundle(t *testing.T, limits ...orchestrator.Limit) *testBundle {
	t.Helper()
	b := setup(t)
	b.engine = b.replica(limited(b))
	for _, l := range limits {
		b.limit(l)
	}
	b.look(b.engine)
	return b
}

func (b *testBundle) limit(l orchestrator.Limit) {
	b.t.Helper()
	l.Tenant, l.Reason, l.By = tenant, "the runner is slow", "ada"
	require.NoError(b.t, b.engine.PutLimit(b.t.Context(), l, "r-1"))
}

func (b *testBundle) look(engines ...*orchestrator.Engine) {
	b.t.Helper()
	b.machine.now = b.machine.now.Add(time.Second)
	for _, e := range engines {
		require.NoError(b.t, e.LookAtLimits(b.t.Context()))
	}
}

// offerTo hands a start of an errand to a replica.
func (b *testBundle) offerTo(e *orchestrator.Engine, id *saga.ID) {
	b.t.Helper()
	require.NoError(b.t, e.OfferStart(b.t.Context(), errand(), func(s orchestrator.Started, err error) {
		require.NoError(b.t, err)
		*id = s.ID
	}))
}

// statuses counts the first steps of sagas by status.
func (b *testBundle) statuses(ids []saga.ID) map[saga.StepStatus]int {
	n := map[saga.StepStatus]int{}
	for _, id := range ids {
		n[b.saga(id).Steps[0].Status]++
	}
	return n
}

func (b *testBundle) errands(n int) []saga.ID {
	ids := make([]saga.ID, n)
	for i := range ids {
		b.offerTo(b.engine, &ids[i])
		b.machine.now = b.machine.now.Add(time.Millisecond) // ids ascend
	}
	b.drain()
	return ids
}

func (b *testBundle) drain(engines ...*orchestrator.Engine) {
	for _, e := range append(engines, b.engine) {
		for e.Intake() > 0 {
			e.Turn(b.t.Context())
		}
	}
}

func runner(commands int) orchestrator.Limit {
	return orchestrator.Limit{Scope: orchestrator.HoldParticipant, Name: "runner", Commands: commands}
}

func errandsAtOnce(n int) orchestrator.Limit {
	return orchestrator.Limit{Scope: orchestrator.HoldSagaType, Name: "errand", Sagas: n}
}

// Starts are taken beyond the limit, and held; what ends lets the oldest of those that wait go on at once.
func TestLimit_HeldNotRefused(t *testing.T) {
	t.Parallel()
	b := limitBundle(t, runner(3))
	ids := b.errands(10)
	require.Equal(t, map[saga.StepStatus]int{saga.InFlight: 3, saga.Held: 7}, b.statuses(ids))
	for _, id := range ids[:3] {
		require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status, "first come, first served")
	}
	blocked, err := b.engine.Blocked(t.Context(), view(b, ids[9]))
	require.NoError(t, err)
	require.Len(t, blocked, 1)
	require.Equal(t, saga.CauseHold, blocked[0].Cause)

	b.look(b.engine)
	blocked, err = b.engine.Blocked(t.Context(), view(b, ids[9]))
	require.NoError(t, err)
	require.Equal(t, "limit on commands of participant runner", blocked[0].What)
	require.Equal(t, "3 of 3", blocked[0].Message, "which limit, the figure and its bound")

	// The step that was answered leaves room, which goes to those that wait and not to its own saga's next step.
	b.publish()
	b.broker.send(reply(ids[0], "run", saga.ReplySucceeded))
	b.receive()
	b.drain()
	require.Equal(t, saga.Held, b.saga(ids[0]).Steps[1].Status)
	require.Equal(t, saga.InFlight, b.saga(ids[3]).Steps[0].Status, "at once, and not when somebody looks again")
	require.Equal(t, map[saga.StepStatus]int{saga.InFlight: 3, saga.Held: 6, saga.Succeeded: 1}, b.statuses(ids))
}

func view(b *testBundle, id saga.ID) orchestrator.View {
	b.t.Helper()
	v, err := b.memory.Saga(b.t.Context(), tenant, id)
	require.NoError(b.t, err)
	return v
}

func TestLimit_OnSagas(t *testing.T) {
	t.Parallel()
	b := limitBundle(t, errandsAtOnce(2))
	ids := b.errands(3)
	require.Equal(t, map[saga.StepStatus]int{saga.InFlight: 2, saga.Held: 1}, b.statuses(ids))
	b.look(b.engine)
	uses, err := b.engine.Limits(t.Context(), tenant)
	require.NoError(t, err)
	require.Equal(t, 2, uses[0].Begun)
	require.Equal(t, 1, uses[0].Waiting)

	b.publish()
	b.broker.send(reply(ids[0], "run", saga.ReplySucceeded))
	b.receive()
	b.drain()
	require.Equal(t, saga.InFlight, b.saga(ids[0]).Steps[1].Status, "a saga that has begun goes on")
	require.Equal(t, saga.Held, b.saga(ids[2]).Steps[0].Status)
	b.publish()
	b.broker.send(reply(ids[0], "report", saga.ReplySucceeded))
	b.receive()
	b.drain()
	require.Equal(t, saga.Completed, b.saga(ids[0]).Status)
	require.Equal(t, saga.InFlight, b.saga(ids[2]).Steps[0].Status, "one has ended")
}

// A removed limit lets all go, and so does one that grows; neither needs the sweep.
func TestLimit_LiftedOrRaised(t *testing.T) {
	t.Parallel()
	for name, lift := range map[string]func(*testBundle){
		"Removed": func(b *testBundle) {
			l := runner(0)
			l.Tenant, l.Reason, l.By = tenant, "well again", "ada"
			require.NoError(b.t, b.engine.RemoveLimit(b.t.Context(), l, "r-2"))
			require.ErrorIs(b.t, b.engine.RemoveLimit(b.t.Context(), l, "r-2"), orchestrator.ErrNotFound)
		},
		"Raised": func(b *testBundle) { b.limit(runner(50)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := limitBundle(t, runner(3))
			ids := b.errands(10)
			lift(b)
			b.look(b.engine)
			b.drain()
			require.Equal(t, map[saga.StepStatus]int{saga.InFlight: 10}, b.statuses(ids))
			require.Len(t, b.errands(1), 1)
		})
	}
}

// L1, L2: where the replica that knew who waits is dead, and nobody looks, the sweep finds them.
func TestLimit_SweepFindsWhatWaits(t *testing.T) {
	t.Parallel()
	b := limitBundle(t, runner(1))
	ids := b.errands(2)
	require.Equal(t, saga.Held, b.saga(ids[1]).Steps[0].Status)
	l := runner(0)
	l.Tenant, l.Reason, l.By = tenant, "well again", "ada"
	require.NoError(t, b.engine.RemoveLimit(t.Context(), l, "r-2"))
	b.engine = b.replica() // knows of no limit
	b.machine.now = b.machine.now.Add(25 * time.Second)
	b.engine.Sweep(t.Context())
	b.drain()
	require.Equal(t, saga.InFlight, b.saga(ids[1]).Steps[0].Status)
}

// However replicas take turns, what is out stays below twice the bound, and comes back to it.
func TestLimit_ReplicasShareTheRoom(t *testing.T) {
	t.Parallel()
	for _, replicas := range []int{2, 3} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			t.Parallel()
			b := limitBundle(t, runner(12))
			engines := []*orchestrator.Engine{b.engine}
			for range replicas - 1 {
				engines = append(engines, b.replica(limited(b)))
			}
			b.look(engines...)
			b.look(engines...) // now each knows of all
			ids := make([]saga.ID, 60)
			for i := range ids {
				b.offerTo(engines[i%replicas], &ids[i])
			}
			b.drain(engines...)
			require.Equal(t, 12, b.statuses(ids)[saga.InFlight], "a burst fills it, and no more")
			for round := range 40 {
				e := engines[b.machine.random.IntN(replicas)]
				for _, id := range ids {
					if b.saga(id).Steps[0].Status == saga.InFlight && b.machine.random.IntN(3) == 0 {
						act := action(id, saga.ActionComplete)
						act.Act.Step = "run"
						require.NoError(t, e.OfferAct(act, func(orchestrator.Acted, error) {}))
					}
				}
				if b.machine.random.IntN(3) == 0 {
					b.look(engines[b.machine.random.IntN(replicas)])
				}
				b.drain(engines...)
				uses, err := b.engine.Limits(t.Context(), tenant)
				require.NoError(t, err)
				require.Less(t, uses[0].Out, 24+replicas, "round %d", round)
			}
		})
	}
}

// What a replica knows is too old to go by: it looks again before it judges anything.
func TestLimit_OldKnowledgeIsNoKnowledge(t *testing.T) {
	t.Parallel()
	b := limitBundle(t)
	b.limit(runner(1))
	b.machine.now = b.machine.now.Add(16 * time.Second)
	ids := b.errands(2)
	require.Equal(t, map[saga.StepStatus]int{saga.InFlight: 1, saga.Held: 1}, b.statuses(ids), "it was set after the replica had looked")
}

type limitsPort interface{ orchestrator.Limits }

// blind answers looks as told.
type blind struct {
	limitsPort
	err   error
	looks int
}

func (b *blind) LookAtLimits(ctx context.Context, replica string) (orchestrator.LimitLook, error) {
	b.looks++
	if b.err != nil {
		return orchestrator.LimitLook{}, b.err
	}
	return b.limitsPort.LookAtLimits(ctx, replica)
}

// Where nobody can say what is out, nothing begins under a limit, and all else goes on; one batch in 15 s waits for a look.
func TestLimit_LooksThatFail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	port := &blind{limitsPort: b.memory}
	b.engine = b.replica(func(cfg *orchestrator.Config) { cfg.Limits = port })
	b.limit(runner(5))
	b.look(b.engine)
	early := b.errands(1)
	b.publish()

	port.err, port.looks = errors.New("canceling statement due to statement timeout"), 0
	b.machine.now = b.machine.now.Add(16 * time.Second)
	late := b.errands(1)
	require.Equal(t, saga.Held, b.saga(late[0]).Steps[0].Status)
	b.broker.send(reply(early[0], "run", saga.ReplySucceeded))
	b.receive()
	b.drain()
	require.Equal(t, saga.Succeeded, b.saga(early[0]).Steps[0].Status)
	require.NoError(t, b.act(action(early[0], saga.ActionCancel)).err)
	require.True(t, b.saga(early[0]).Aborting)
	require.Equal(t, 1, port.looks)

	port.err = nil
	b.look(b.engine)
	b.drain()
	require.Equal(t, saga.InFlight, b.saga(late[0]).Steps[0].Status)
}

// Undoing does not wait behind new work, and neither do retries.
func TestLimit_CompensationsPass(t *testing.T) {
	t.Parallel()
	b := limitBundle(t, runner(2))
	ids := b.errands(1)
	b.publish()
	b.broker.send(reply(ids[0], "run", saga.ReplySucceeded))
	b.receive()
	b.drain()
	b.limit(runner(1))
	b.look(b.engine)
	require.Equal(t, saga.InFlight, b.saga(ids[0]).Steps[1].Status)
	b.broker.send(reply(ids[0], "report", saga.ReplyFailed))
	b.receive()
	b.drain()
	require.Equal(t, saga.BackingOff, b.saga(ids[0]).Steps[1].Status)
	others := b.errands(1)
	require.Equal(t, saga.Held, b.saga(others[0]).Steps[0].Status, "what backs off is out")
	b.machine.now = b.machine.now.Add(5 * time.Second)
	b.engine.FireTimers(t.Context())
	b.drain()
	require.Equal(t, saga.InFlight, b.saga(ids[0]).Steps[1].Status)
	require.NoError(t, b.act(action(ids[0], saga.ActionCancel)).err)
	b.broker.send(reply(ids[0], "report", saga.ReplyRejected, func(d *orchestrator.Delivery) { d.Reply.Attempt = 2 }))
	b.receive()
	b.drain()
	require.Equal(t, saga.Undoing, b.saga(ids[0]).Steps[0].Status)
}

func TestLimit_SaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	b := limitBundle(t)
	err := b.engine.PutLimit(t.Context(), orchestrator.Limit{Tenant: tenant, Scope: orchestrator.HoldTenant, Sagas: -1}, "r")
	var bad *orchestrator.InputError
	require.ErrorAs(t, err, &bad)
	var paths []string
	for _, f := range bad.Fields {
		paths = append(paths, f.Path)
	}
	require.Equal(t, []string{"scope", "name", "sagas", "reason"}, paths)
	err = b.engine.PutLimit(t.Context(), orchestrator.Limit{Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "runner", Sagas: 3, Reason: "r"}, "r")
	require.ErrorAs(t, err, &bad)
}
