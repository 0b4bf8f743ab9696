package sim

import (
	"context"
	"fmt"

	"github.com/skaldhq/skald/orchestrator"
)

// planRedrives has operators look at the quarantine, while sagas move and later.
func (p *people) planRedrives() {
	for range 20 {
		if p.w.hits(FaultRedrive) {
			p.w.after(p.within(60_000), p.mend)
		}
	}
}

// mend redrives or discards a record that waits. Some send theirs twice, under an Idempotency-Key or without. Operators vouch only
// where they know from the participant that it did send this reply, and something has happened to its token alone.
func (p *people) mend() {
	tenant := p.tenants[p.rng.IntN(len(p.tenants))]
	list, err := p.w.store.Quarantine(context.Background(), orchestrator.QuarantineQuery{Tenant: tenant, State: orchestrator.QuarantineWaiting, Limit: 100})
	if err != nil {
		p.w.violate("world", "the quarantine cannot be read: %v", err)
		return
	}
	if len(list) == 0 {
		return
	}
	for i := range list { // the list is without bytes, which tell what happened to a record
		if list[i], err = p.w.store.QuarantineRecord(context.Background(), tenant, list[i].ID); err != nil {
			p.w.violate("world", "a record in quarantine cannot be read: %v", err)
			return
		}
	}
	e := list[p.rng.IntN(len(list))]
	if p.rng.IntN(3) > 0 { // what can be applied is rare
		for i := range list {
			if p.w.kafka.oracle.tokenAlone(&list[i].Quarantined) {
				e = list[i]
				break
			}
		}
	}
	p.mends++
	req := orchestrator.QuarantineRequest{
		Tenant: tenant, ID: e.ID, Action: orchestrator.QuarantineRedrive, Reason: "sim", By: "operator-9", RequestID: fmt.Sprintf("mend-%d", p.mends),
	}
	if p.rng.IntN(5) == 0 {
		req.Action = orchestrator.QuarantineDiscard
	} else {
		req.Vouch = p.w.kafka.oracle.tokenAlone(&e.Quarantined)
	}
	if p.rng.IntN(3) == 0 {
		req.IdempotencyKey = req.RequestID
	}
	p.handle(req)
	if p.rng.IntN(3) == 0 {
		p.w.after(p.within(10_000), func() { p.handle(req) })
	}
}

func (p *people) handle(req orchestrator.QuarantineRequest) {
	r := p.replica()
	if r == nil {
		return
	}
	p.w.note("mend", string(req.Action), fmt.Sprint(req.ID))
	err := r.engine.OfferHandled(context.Background(), req, func(got orchestrator.QuarantineResult, err error) { p.w.note("mended", fmt.Sprint(got.Outcome, err)) })
	if err != nil {
		p.w.note("mended", err.Error())
	}
}
