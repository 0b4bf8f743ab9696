package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// planLimits has operators bound what goes on at once, and let it go again.
func (p *people) planLimits() {
	for range 3 {
		if p.w.hits(FaultLimit) {
			p.w.after(p.within(20_000), p.limit)
		}
	}
}

func (p *people) limit() {
	ctx := context.Background()
	l := orchestrator.Limit{Tenant: p.tenants[p.rng.IntN(len(p.tenants))], Reason: "sim", By: "ann"}
	if p.rng.IntN(2) == 0 {
		l.Scope, l.Name, l.Commands = orchestrator.HoldParticipant, participantNames[p.rng.IntN(len(participantNames))], 1+p.rng.IntN(4)
	} else {
		l.Scope, l.Name = orchestrator.HoldSagaType, p.chosen[p.rng.IntN(len(p.chosen))][0].def.Name
		l.Sagas, l.Commands = p.rng.IntN(4), p.rng.IntN(4)
		if l.Sagas+l.Commands == 0 {
			l.Sagas = 1
		}
	}
	if err := p.w.store.PutLimit(ctx, l, audit(l.Tenant, "limit.set")); err != nil {
		p.w.violate("world", "a limit cannot be set: %v", err)
		return
	}
	p.w.note("limit", string(l.Scope), l.Name)
	at := p.w.oracle.bounded(l)
	p.w.after(10*time.Second+p.within(110_000), func() {
		if p.w.oracle.limits[at].replaced {
			return
		}
		if err := p.w.store.RemoveLimit(ctx, l.Tenant, l.Scope, l.Name, audit(l.Tenant, "limit.remove")); err != nil {
			p.w.violate("world", "a limit cannot be removed: %v", err)
		}
		p.w.oracle.limits[at].lifted = p.w.now
	})
}
