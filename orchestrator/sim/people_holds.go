package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// planHolds decides, before replicas start, how often operators stop things from outside: only then do replicas look for holds that end.
func (p *people) planHolds() {
	for range 3 {
		if p.w.hits(FaultHold) {
			p.holds++
		}
	}
}

// hold stops a definition, a participant, a tenant, or everything.
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
	if h.Scope == orchestrator.HoldParticipant && p.w.hits(FaultHoldTries) {
		p.breaker(h)
		return
	}
	id, err := p.w.store.PutHold(context.Background(), h, audit(tenant, "hold.put"))
	if err != nil {
		p.w.violate("world", "a hold cannot be set: %v", err)
		return
	}
	at := p.w.oracle.held(p.stored(tenant, id))
	lasts := time.Second + p.within(40_000)
	if p.w.hits(FaultHoldLong) {
		lasts = 16 * time.Minute
	}
	p.w.note("hold", string(h.Scope), h.Name)
	p.w.after(lasts, func() { p.endHold(tenant, id, at) })
}

// endHold ends a hold, perhaps at a rate.
func (p *people) endHold(tenant string, id int64, at int) {
	var over time.Duration
	if p.w.hits(FaultHoldRate) {
		over = p.w.span(FaultHoldRate, 40*time.Second).Truncate(time.Microsecond)
	}
	switch err := p.w.store.EndHold(context.Background(), tenant, id, over, audit(tenant, "hold.end")); {
	case err == nil:
		p.w.oracle.released(at, p.stored(tenant, id))
	default:
		p.w.violate("world", "a hold cannot be ended: %v", err)
	}
}

// stored is a hold as the store has it.
func (p *people) stored(tenant string, id int64) orchestrator.Hold {
	row, err := p.w.store.Hold(context.Background(), tenant, id)
	if err != nil {
		p.w.violate("world", "a hold cannot be read: %v", err)
	}
	return row.Hold
}

// breaker opens one, as a replica would that saw the participant fail, opens it again now and then, and ends it or leaves it alone.
func (p *people) breaker(h orchestrator.Hold) {
	ctx := context.Background()
	pause := p.w.span(FaultHoldTries, 20*time.Second)
	row := orchestrator.HoldRow{Hold: h}
	row.TryFor, row.Trips = 20*time.Second, 1
	opened, err := p.w.store.Trip(ctx, row, pause, audit(h.Tenant, "breaker.opened"))
	if err != nil {
		p.w.violate("world", "a breaker cannot be opened: %v", err)
		return
	}
	if !opened { // there is one
		return
	}
	rows, err := p.w.store.Holds(ctx, h.Tenant)
	if err != nil {
		p.w.violate("world", "holds cannot be listed: %v", err)
		return
	}
	row = rows[len(rows)-1]
	at := p.w.oracle.held(row.Hold)
	p.w.note("breaker", h.Name)
	p.w.after(pause+row.TryFor/2, func() {
		again, err := p.w.store.Trip(ctx, row, pause, audit(h.Tenant, "breaker.reopened"))
		if err != nil {
			p.w.violate("world", "a breaker cannot be opened again: %v", err)
			return
		}
		if again {
			at = p.w.oracle.reopened(at, p.stored(h.Tenant, row.ID))
		}
	})
	p.w.after(2*pause+2*row.TryFor, func() { p.endHold(h.Tenant, row.ID, at) })
}
