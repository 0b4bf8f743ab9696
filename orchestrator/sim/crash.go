package sim

import (
	"context"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

// crashFaults are the kinds that happen beside named crashes: those that bring sagas into every phase, and leave work to sweeps.
// Nothing else dies or is lost, so that a crash point is alone to blame for what a run breaks.
func crashFaults() map[Fault]bool {
	return map[Fault]bool{
		FaultReplyTwice: true, FaultDiesBefore: true, FaultDiesAfter: true, FaultSilent: true, FaultParticipantFails: true,
		FaultDeliveryLate: true, FaultReplyLate: true, FaultAckLost: true, FaultRecordLost: true,
	}
}

// crashes are the crashes that a run is to have, one after the other: the next is waited for from the moment of the one before.
type crashes struct {
	w      *world
	plan   []crashpoint.At
	seen   int // how often a process was where the next of plan is
	phases crashpoint.Phases
}

// newCrashes answers nil where the run has no named crashes.
func newCrashes(w *world) *crashes {
	if w.opt.Crash == nil {
		return nil
	}
	w.report.AtPoints = map[crashpoint.At]int{}
	return &crashes{w: w, plan: w.opt.Crash}
}

// tap puts a Tap between a replica's engine and its ports.
func (c *crashes) tap(r *replica, cfg *orchestrator.Config) {
	if c == nil {
		return
	}
	w := c.w
	r.tap = crashpoint.New(crashpoint.Config{
		Hit: c.hit, Die: func(p crashpoint.Point) { w.die(r) }, Phases: &c.phases,
		Definition: func(tenant, name string, version int) (*saga.Definition, error) {
			row, err := w.store.Definition(context.Background(), tenant, name, version)
			if err != nil {
				return nil, err
			}
			return compile(name, row.Content)
		},
		Lost: func() bool { return w.sched.IntN(2) == 0 },
	})
	cfg.Store, cfg.Broker = r.tap.Store(cfg.Store), r.tap.Broker(cfg.Broker)
}

// hit counts, and reports whether the process dies.
func (c *crashes) hit(p crashpoint.Point, phases []crashpoint.Phase) bool {
	w := c.w
	if w.nemesis.calm {
		return false
	}
	for _, phase := range phases {
		w.report.AtPoints[crashpoint.At{Point: p, Phase: phase}]++
	}
	next := w.report.Crashed
	if next == len(c.plan) || !c.plan[next].Is(p, phases) {
		return false
	}
	if c.seen++; c.seen < c.plan[next].N {
		return false
	}
	c.seen = 0
	w.report.Crashed++
	w.report.Points[string(p)]++
	w.hinder(0) // from now on the others have their time (L3)
	w.note("crash", c.plan[next].String())
	return true
}

// atStartup reports whether a replica dies as it starts, between two migrations, and comes back. What migrations leave is
// Postgres's: here it is only a replica that does not come up while others work.
func (c *crashes) atStartup(r *replica) bool {
	if c == nil || !c.hit(crashpoint.Migrating, c.phases.All()) {
		return false
	}
	r.comeBack(c.w.roll(8 * time.Second))
	return true
}

// atLeaving is the end of a drain, before the group is left.
func (c *crashes) atLeaving(r *replica) {
	if c != nil {
		r.tap.At(crashpoint.Draining)
	}
}

// unrest begins what is needed to die in drains, startups, starts and actions: replicas end and start again one after the other, as in an
// upgrade, and an operator pauses sagas and lets them go on.
func (c *crashes) unrest() {
	if c == nil {
		return
	}
	c.upgrade()
	c.pause()
	for range 4 {
		c.w.after(10*time.Second+c.w.roll(30*time.Second), c.start)
	}
}

// start is a client who comes late, so that there are starts to die in after other points.
func (c *crashes) start() {
	p := c.w.people
	if c.w.nemesis.calm {
		return
	}
	r := p.draw(len(p.requests))
	p.requests = append(p.requests, r)
	p.start(r)
}

func (c *crashes) upgrade() {
	w := c.w
	if w.nemesis.calm {
		return
	}
	w.replicas[w.sched.IntN(len(w.replicas))].beginDrain()
	w.meanwhile(time.Second+w.roll(6*time.Second), c.upgrade)
}

// pause goes on after the first phase until nothing is paused.
func (c *crashes) pause() {
	w := c.w
	w.meanwhile(200*time.Millisecond+w.roll(2*time.Second), c.pause)
	for _, id := range c.phases.Live() {
		in, action := w.oracle.saga(id), saga.ActionResume
		switch {
		case in == nil || in.Status.Terminal():
			continue
		case in.Pause == nil:
			if action = saga.ActionPause; w.nemesis.calm || w.sched.IntN(4) > 0 {
				continue
			}
		}
		if r := w.replicas[w.sched.IntN(len(w.replicas))]; !r.away() {
			// It is refused where the replica drains, and is then asked for again.
			_ = r.engine.OfferAct(orchestrator.ActRequest{
				Tenant: in.Tenant, ID: id, Act: saga.Acted{Action: action, Reason: "crash", By: "operator"},
			}, func(orchestrator.Acted, error) {})
		}
	}
}

// crashList is what the flag -crash of the tests reads.
func crashList(plan []crashpoint.At) string {
	words := make([]string, len(plan))
	for i, at := range plan {
		words[i] = at.String()
	}
	return strings.Join(words, ",")
}
