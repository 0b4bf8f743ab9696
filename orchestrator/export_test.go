package orchestrator

import (
	"context"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Turn is one turn of the committer: it commits what waits, or else flushes. It reports how many items it took.
func (e *Engine) Turn(ctx context.Context) int {
	items := e.committer.take(ctx)
	if len(items) == 0 {
		e.committer.flush(ctx)
		return 0
	}
	e.committer.process(ctx, items)
	return len(items)
}

// Sweep is one sweep.
func (e *Engine) Sweep(ctx context.Context) {
	for _, w := range e.workers {
		if s, ok := w.(*sweeper); ok {
			s.sweep(ctx)
		}
	}
}

// Operate does one slice of an operation, and reports whether there was one.
func (e *Engine) Operate(ctx context.Context) bool {
	for _, w := range e.workers {
		if o, ok := w.(*operator); ok {
			return o.slice(ctx)
		}
	}
	return false
}

// FireTimers hands what is due to the intake, and reports how much that is.
func (e *Engine) FireTimers(ctx context.Context) int {
	due := e.committer.timers.fire()
	if err := e.intake.Put(ctx, laneReplies, due...); err != nil {
		return 0
	}
	return len(due)
}

// Timers is how many precise timers are set.
func (e *Engine) Timers() int { return len(e.committer.timers.due) }

// ForgetOutgoing drops what was handed to the relay, as a replica does that dies after its commit.
func (e *Engine) ForgetOutgoing() int { return len(e.outgoing.take(1 << 20)) }

// Outgoing is how many rows wait for the relay, Intake how many events for the committer, Later how many it has put off.
func (e *Engine) Outgoing() int { return e.outgoing.Len() }
func (e *Engine) Intake() int   { return e.intake.Len() }
func (e *Engine) Later() int    { return len(e.committer.later) }

// Know puts a definition in the place of one that is registered.
func (e *Engine) Know(tenant string, def *saga.Definition) {
	e.registry.compiled[defKey{tenant, def.Name, def.Version}] = def
}

// Forget drops a compiled definition.
func (e *Engine) Forget(tenant, name string, version int) {
	delete(e.registry.compiled, defKey{tenant, name, version})
}

// Watch is one look after holds and breakers.
func (e *Engine) Watch(ctx context.Context) {
	for _, w := range e.workers {
		if w, ok := w.(*watcher); ok {
			w.look(ctx)
		}
	}
}

// LookAtGroups reads every wanted group once.
func (e *Engine) LookAtGroups(ctx context.Context) { e.groups.look(ctx) }

// Waits reports whether a group has certainly not begun with a record.
func (g *Group) Waits(partition int32, offset int64) bool { return g.waits(partition, offset) }

// LookAtLimits is one turn of the worker that looks after limits.
func (e *Engine) LookAtLimits(ctx context.Context) error {
	if err := e.limits.look(ctx); err != nil {
		return err
	}
	e.limits.gather(ctx)
	e.limits.feed()
	return nil
}
