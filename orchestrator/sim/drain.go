package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// drainLimit is within what a replica that is told to end has ended (L8).
const drainLimit = 30 * time.Second

// drain is a replica's end on request, as Engine.Run leads it: one stage of workers after the other.
type drain struct {
	began time.Time
	stage orchestrator.Stage // ended last
	last  bool               // the last acknowledgements are being stored
}

// beginDrain is SIGTERM. The replica starts again when it has ended; after the limit the process gives up, which is a kill.
func (r *replica) beginDrain() {
	w := r.w
	if r.dead || r.drain != nil {
		return
	}
	w.note(r.name, "drain")
	r.drain = &drain{began: w.now}
	r.engine.BeginDrain()
	life := r.life
	w.meanwhile(drainLimit, func() {
		if r.life != life || r.dead {
			return
		}
		if !w.hindered.After(r.drain.began) {
			w.violate("L8", "%s has not drained within %s, and nothing was in its way", r.name, drainLimit)
		}
		w.report.Drains["cut off"]++
		r.stop("drain cut off")
		r.comeBack(w.roll(8 * time.Second))
	})
	r.endStage(orchestrator.StageTaking)
}

func (r *replica) endStage(stage orchestrator.Stage) {
	r.drain.stage = stage
	r.ends[stage]()
	for _, t := range r.tasks {
		if t.call.ctx != nil && t.call.ctx.Err() != nil {
			r.w.wake(t)
		}
	}
}

// returned is told that a worker of the replica has returned.
func (r *replica) returned(t *task) {
	for i, other := range r.tasks {
		if other == t {
			r.tasks = append(r.tasks[:i:i], r.tasks[i+1:]...)
			break
		}
	}
	if r.dead {
		return
	}
	if r.drain == nil {
		r.w.violate("world", "worker %s of %s returned and nobody told it to", t.name, r.name)
		return
	}
	for _, other := range r.tasks {
		if other.stage <= r.drain.stage {
			return
		}
	}
	switch {
	case r.drain.last:
		r.w.report.Drains["complete"]++
		r.w.kafka.group.leave(r)
		r.stop("drained")
		r.comeBack(r.w.roll(8 * time.Second))
	case r.drain.stage < orchestrator.StagePublishing:
		r.endStage(r.drain.stage + 1)
	default:
		r.drain.last = true
		end := orchestrator.Worker{Name: "end of drain", Stage: orchestrator.StagePublishing, Run: func(ctx context.Context) {
			r.engine.EndDrain(ctx)
			r.w.crashes.atLeaving(r)
		}}
		r.tasks = append(r.tasks, r.w.spawn(r, context.Background(), end))
	}
}
