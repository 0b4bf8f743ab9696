package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// jobs are what operators do with many sagas at once: the actions, as often as they have them.
var jobs = []saga.Action{
	saga.ActionRetry, saga.ActionRetry, saga.ActionCancel, saga.ActionCancel, saga.ActionPause, saga.ActionResume, saga.ActionRebind,
	saga.ActionRebind, saga.ActionWaive, saga.ActionAcknowledge,
}

// jobChanges are what operators do with operations under way, as often as they do.
var jobChanges = []orchestrator.OperationChange{
	orchestrator.OperationPause, orchestrator.OperationPause, orchestrator.OperationResume, orchestrator.OperationCancel,
}

// planOperations decides, before replicas start, whether there are operations over many sagas in this world: only then do replicas look
// for them.
func (p *people) planOperations() {
	for range 2 {
		if p.w.hits(FaultOperation) {
			p.operations++
		}
	}
	for range p.operations {
		p.w.after(time.Second+p.within(25_000), p.operateMany)
	}
}

// operateMany starts an operation at some replica, perhaps twice under its Idempotency-Key, and may stop it or hold it up.
func (p *people) operateMany() {
	tenant := p.tenants[p.rng.IntN(len(p.tenants))]
	versions := p.chosen[p.rng.IntN(len(p.chosen))]
	req := orchestrator.OperationRequest{Action: jobs[p.rng.IntN(len(jobs))], Reason: "sim", Rate: []int{1, 1, 2, 4, 50, 1000}[p.rng.IntN(6)]}
	if req.Action == saga.ActionRebind {
		req.Version = 1 + p.rng.IntN(2)
		req.Filter.Saga = versions[0].def.Name
	}
	switch p.rng.IntN(3) {
	case 0:
		req.Filter.Saga = versions[0].def.Name
	case 1:
		req.Filter.Statuses = []saga.Status{saga.Suspended, saga.Running}
	default:
		req.Filter.Statuses = []saga.Status{saga.Running, saga.Compensating, saga.Suspended, saga.Completed, saga.Compensated}
	}
	p.acts++
	key := fmt.Sprintf("job-%d", p.acts)
	p.startJob(tenant, req, key)
	if p.rng.IntN(3) == 0 {
		p.w.after(p.within(5_000), func() { p.startJob(tenant, req, key) })
	}
}

func (p *people) startJob(tenant string, req orchestrator.OperationRequest, key string) {
	r := p.replica()
	if r == nil {
		return
	}
	op, created, err := r.engine.StartOperation(context.Background(), tenant, req, "operator-5", key, key)
	if err != nil {
		p.w.violate("world", "%s of many is answered with: %v", req.Action, err)
		return
	}
	p.w.note("operation", string(req.Action), fmt.Sprint(op.ID))
	p.w.oracle.begunMany(op, created)
	if !created {
		return
	}
	for range p.rng.IntN(3) {
		p.w.after(p.within(20_000), func() {
			if !p.calm { // what is stopped in the second phase stays so
				p.change(tenant, op.ID, jobChanges[p.rng.IntN(len(jobChanges))])
			}
		})
	}
}

// change asks for a change of an operation, wise or not.
func (p *people) change(tenant string, id int64, change orchestrator.OperationChange) {
	r := p.replica()
	if r == nil {
		return
	}
	op, err := r.engine.ChangeOperation(context.Background(), tenant, id, change, "operator-5", "sim", "")
	p.w.note("operation", string(change), fmt.Sprint(id, err))
	p.w.oracle.changed(id, op, change, err)
}

// unhold sees to it, in the second phase, that no operation stays paused.
func (p *people) unhold() {
	again := false
	for _, j := range p.w.oracle.jobsInOrder() {
		if j.paused && !j.over {
			p.change(j.op.Tenant, j.op.ID, orchestrator.OperationResume)
		}
		again = again || j.paused && !j.over
	}
	if again {
		p.w.after(5*time.Second, p.unhold)
	}
}
