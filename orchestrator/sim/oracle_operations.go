package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// job is an operation as the oracle knows it: by what people were told and what was committed.
type job struct {
	op       orchestrator.Operation
	members  map[saga.ID]bool
	outcomes map[saga.ID]orchestrator.OutcomeKind
	acted    map[saga.ID]int // transactions that have its audit row
	paused   bool
	over     bool // cancelled
	slices   map[*replica]int
	stopped  int // sagas acted on since it was paused or cancelled
	may      int // slices that were under way then
}

const sliceMost = 250 // of a rate of 1,000

// slice is how many sagas a slice of it may have.
func (j *job) slice() int { return min(max(j.op.Request.Rate/4, 1), sliceMost) }

// jobsInOrder walks over the operations by id.
func (o *oracle) jobsInOrder() iter.Seq2[int64, *job] {
	return func(yield func(int64, *job) bool) {
		for _, id := range slices.Sorted(maps.Keys(o.jobs)) {
			if !yield(id, o.jobs[id]) {
				return
			}
		}
	}
}

// begunMany notes an operation; its Idempotency-Key leads to the same one ever after (S2).
func (o *oracle) begunMany(op orchestrator.Operation, created bool) {
	if !created {
		if o.jobs[op.ID] == nil {
			o.w.violate("S2", "operation %d is said to be there already, and nobody has started it", op.ID)
		}
		return
	}
	if o.jobs[op.ID] != nil {
		o.w.violate("S2", "operation %d is created twice", op.ID)
	}
	o.jobs[op.ID] = &job{op: op, members: map[saga.ID]bool{}, outcomes: map[saga.ID]orchestrator.OutcomeKind{}, acted: map[saga.ID]int{}, slices: map[*replica]int{}}
}

// changed judges what became of a pause, a resume or a cancel.
func (o *oracle) changed(id int64, op orchestrator.Operation, change orchestrator.OperationChange, err error) {
	j := o.jobs[id]
	var state *orchestrator.OperationStateError
	if errors.As(err, &state) {
		return
	}
	if err != nil {
		o.w.violate("world", "%s of operation %d is answered with: %v", change, id, err)
		return
	}
	if j.over || op.Done() > op.Total {
		o.w.violate("rule 12", "operation %d is changed after its end: %+v", id, op)
	}
	j.paused = change == orchestrator.OperationPause
	j.over = change == orchestrator.OperationCancel
	j.stopped, j.may = 0, len(j.slices)
}

// sliceTaken holds that nobody works on an operation that is paused or has ended.
func (o *oracle) sliceTaken(r *replica, op orchestrator.Operation) {
	j := o.jobs[op.ID]
	if j == nil { // put by a test of the store alone; what is done for it is found by its audit row
		return
	}
	if j.paused || j.over || op.State.Ended() {
		o.w.violate("rule 12", "a slice of operation %d is taken, which is %s (paused: %v)", op.ID, op.State, j.paused)
	}
	j.slices[r]++
}

// listed compares what an operation is to be about with all that there is.
func (o *oracle) listed(q orchestrator.SagaQuery, page *orchestrator.SagaPage) {
	found := map[saga.ID]bool{}
	for i := range page.Sagas {
		found[page.Sagas[i].Instance.ID] = true
	}
	for _, t := range o.ordered {
		matches := t.tenant == q.Tenant && (q.Saga == "" || q.Saga == t.def.Name) && (len(q.Statuses) == 0 || slices.Contains(q.Statuses, t.in.Status)) &&
			t.in.CreatedAt.Before(q.CreatedBefore)
		if matches != found[t.id] {
			o.w.violate("rule 12", "%s matches: %v; an operation has it: %v", t.id, matches, found[t.id])
		}
	}
}

func (o *oracle) gathered(id int64, ids []saga.ID) {
	if j := o.jobs[id]; j != nil {
		for _, each := range ids {
			j.members[each] = true
		}
	}
}

// noted holds that a saga has one outcome, and that only a saga of the operation has.
func (o *oracle) noted(id int64, outcomes []orchestrator.OperationOutcome) {
	j := o.jobs[id]
	if j == nil {
		return
	}
	for _, each := range outcomes {
		switch {
		case !j.members[each.Saga]:
			o.w.violate("rule 12", "operation %d has an outcome of %s, which is none of its sagas", id, each.Saga)
		case j.outcomes[each.Saga] != "" && j.outcomes[each.Saga] != each.Kind:
			o.w.violate("rule 12", "operation %d has two outcomes of %s: %s, %s", id, each.Saga, j.outcomes[each.Saga], each.Kind)
		}
		j.outcomes[each.Saga] = each.Kind
	}
}

// actedForMany looks at the audit row of an action that an operation did: once for each saga, and no more than what was under way once it
// was stopped.
func (o *oracle) actedForMany(a *orchestrator.Audit) {
	number, ok := strings.CutPrefix(a.RequestID, "operation/")
	if !ok {
		return
	}
	var id int64
	if _, err := fmt.Sscan(number, &id); err != nil || o.jobs[id] == nil {
		o.w.violate("rule 12", "%s of %s was done for %s, which nobody has started", a.Action, a.Saga, a.RequestID)
		return
	}
	j := o.jobs[id]
	if !j.members[a.Saga] || a.Tenant != j.op.Tenant || a.Action != "saga."+string(j.op.Request.Action) {
		o.w.violate("rule 12", "operation %d (%s) did %s to %s of %s", id, j.op.Request.Action, a.Action, a.Saga, a.Tenant)
	}
	if j.acted[a.Saga]++; j.acted[a.Saga] > 1 {
		o.w.violate("rule 12", "operation %d acted %d times on %s", id, j.acted[a.Saga], a.Saga)
	}
	if j.paused || j.over {
		if j.stopped++; j.stopped > j.may*j.slice() {
			o.w.violate("rule 12", "operation %d acted on %d sagas after it was stopped, with %d slices of %d under way", id, j.stopped, j.may, j.slice())
		}
	}
}

// operating reports whether an operation is still to be carried on.
func (o *oracle) operating() bool {
	for id, j := range o.jobsInOrder() {
		if j.over {
			continue
		}
		op, err := o.w.store.Operation(context.Background(), j.op.Tenant, id)
		if err != nil || !op.State.Ended() {
			return true
		}
	}
	return false
}

// operated looks at operations at the end of the world: each of their sagas has its outcome, progress is the sum of the outcomes, and what
// the outcomes say is what was done.
func (o *oracle) operated() {
	ctx := context.Background()
	for id, j := range o.jobsInOrder() {
		op, err := o.w.store.Operation(ctx, j.op.Tenant, id)
		if err != nil {
			o.w.violate("world", "operation %d cannot be read: %v", id, err)
			return
		}
		outcomes, err := o.w.store.Outcomes(ctx, orchestrator.OutcomeQuery{Tenant: j.op.Tenant, Operation: id, Limit: 1 << 20})
		if err != nil {
			o.w.violate("world", "the outcomes of operation %d cannot be read: %v", id, err)
			return
		}
		if !op.State.Ended() || j.over != (op.State == orchestrator.OperationCancelled) {
			o.w.violate("L1", "operation %d (%s) is %s in the end (cancelled: %v): %d of %d", id, op.Request.Action, op.State, j.over, op.Done(), op.Total)
		}
		count := map[orchestrator.OutcomeKind]int64{}
		for _, each := range outcomes {
			count[each.Kind]++
			o.outcome(j, &each)
		}
		if len(outcomes) != len(j.members) || op.Total != int64(len(j.members)) && op.State == orchestrator.OperationCompleted {
			o.w.violate("rule 12", "operation %d has %d sagas, outcomes of %d and a total of %d", id, len(j.members), len(outcomes), op.Total)
		}
		if op.Succeeded != count[orchestrator.OutcomeSucceeded] || op.Refused != count[orchestrator.OutcomeRefused] || op.Failed != count[orchestrator.OutcomeFailed] ||
			count[orchestrator.OutcomePending] > 0 && !j.over {
			o.w.violate("rule 12", "operation %d says succeeded %d, refused %d, failed %d, and its outcomes are %v", id, op.Succeeded, op.Refused, op.Failed, count)
		}
		o.w.report.Operations[string(op.Request.Action)+" "+string(op.State)]++
	}
}

// outcome compares what became of one saga with what was done to it. What was done last before a cancel may never be noted.
func (o *oracle) outcome(j *job, each *orchestrator.OperationOutcome) {
	if want := map[orchestrator.OutcomeKind]int{orchestrator.OutcomeSucceeded: 1}[each.Kind]; j.acted[each.Saga] != want && each.Kind != orchestrator.OutcomePending {
		o.w.violate("rule 12", "%s of operation %d is %s (%s), and it was acted on %d times", each.Saga, j.op.ID, each.Kind, each.Code, j.acted[each.Saga])
	}
	if each.Kind == orchestrator.OutcomeFailed {
		o.w.violate("rule 12", "%s of operation %d failed: %s %s", each.Saga, j.op.ID, each.Code, each.Message)
	}
}
