package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// planHolds has operators stop things from outside: a definition, a participant, a tenant, or everything.
func (p *people) planHolds() {
	for range 3 {
		if p.w.hits(FaultHold) {
			p.w.after(p.within(30_000), p.hold)
		}
	}
}

func (p *people) hold() {
	versions := p.chosen[p.rng.IntN(len(p.chosen))]
	tenant := p.tenants[p.rng.IntN(len(p.tenants))]
	h := orchestrator.Hold{Tenant: tenant, Reason: "sim"}
	switch p.rng.IntN(5) {
	case 0:
		h.Scope, h.Name = orchestrator.HoldSagaType, versions[0].def.Name
		h.Version = p.rng.IntN(3)
	case 1, 2:
		h.Scope, h.Name = orchestrator.HoldParticipant, participantNames[p.rng.IntN(len(participantNames))]
	case 3:
		h.Scope = orchestrator.HoldTenant
	case 4:
		h.Scope = orchestrator.HoldAll
	}
	id, err := p.w.store.PutHold(context.Background(), h, audit(tenant, "hold.put"))
	if err != nil {
		p.w.violate("world", "a hold cannot be set: %v", err)
		return
	}
	h.From = p.w.now
	at := p.w.oracle.held(h)
	lasts := time.Second + p.within(40_000)
	if p.w.hits(FaultHoldLong) {
		lasts = 16 * time.Minute
	}
	p.w.note("hold", string(h.Scope), h.Name)
	p.w.after(lasts, func() {
		if err := p.w.store.EndHold(context.Background(), tenant, id, 0, audit(tenant, "hold.end")); err != nil {
			p.w.violate("world", "a hold cannot be ended: %v", err)
		}
		p.w.oracle.released(at)
	})
}
