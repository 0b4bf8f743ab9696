package sim

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// oracle checks what was promised: after every commit what can be seen there, and at the end the effects.
type oracle struct {
	w         *world
	tracks    map[saga.ID]*track
	ordered   []*track // as they were committed first
	commands  map[commandKey]*ordered
	unseen    []*ordered // committed and perhaps not yet in Kafka, oldest first
	applied   map[string]int
	keys      map[businessKey]*keyHolders
	holds     []holdPlan
	limits    []limitPlan
	exempt    []time.Time      // when what waits for no limit came, by the world's time
	deeds     map[string]*deed // by request id
	jobs      map[int64]*job   // operations over many sagas
	audited   map[string]bool  // request ids
	corrected map[stepKey]bool // an operator gave a payload
	revised   map[revisionKey]string
	started   map[idemKey]saga.ID  // by what was committed (S2)
	plans     map[commandKey]*plan // by which each edition was created
	lied      map[saga.ID]bool
	recovery  recovery
}

// track is what the oracle knows of a saga, read off its facts by itself but for the folded instance.
type track struct {
	plan   *plan
	def    *saga.Definition
	in     saga.Instance // folded
	facts  []saga.Fact
	id     saga.ID
	tenant string
	stored int64 // revision

	steps     []stepTrack
	free      time.Time // since when a step is seen to wait for a hold that stops it no more; zero: none does
	paused    bool
	aborting  bool
	passed    bool
	ended     bool
	abandoned bool
	cancelled bool // a cancel was accepted
	pastPivot bool // a cancel was refused for it
	deadline  deadlineTrack
	rescues   int
}

func newOracle(w *world) *oracle {
	return &oracle{
		w: w, tracks: map[saga.ID]*track{}, commands: map[commandKey]*ordered{}, applied: map[string]int{},
		keys: map[businessKey]*keyHolders{}, deeds: map[string]*deed{}, jobs: map[int64]*job{}, audited: map[string]bool{},
		revised: map[revisionKey]string{}, corrected: map[stepKey]bool{}, started: map[idemKey]saga.ID{}, plans: map[commandKey]*plan{}, lied: map[saga.ID]bool{},
	}
}

// saga is a saga as it is stored; nil: there is none.
func (o *oracle) saga(id saga.ID) *saga.Instance {
	if t := o.tracks[id]; t != nil {
		return &t.in
	}
	return nil
}

// liedTo notes that a participant has lied to a saga: it is held to what does not rest on the word of participants.
func (o *oracle) liedTo(id wire.ID) { o.lied[saga.ID(id)] = true }

// committed looks at a transaction that has just been committed.
func (o *oracle) committed(b orchestrator.Batch) {
	for i := range b.Audit {
		o.audited[b.Audit[i].RequestID] = true
		o.actedForMany(&b.Audit[i])
	}
	for i := range b.Writes {
		o.written(&b.Writes[i])
	}
	for i := range b.Writes {
		if wr := &b.Writes[i]; wr.Next.Revision == 1 {
			o.begun(o.tracks[wr.Next.ID])
		}
	}
	o.withinLimits()
	for i := range b.Outbox {
		if r := &b.Outbox[i]; r.Kind == orchestrator.RecordCommand {
			o.promise(r)
		}
	}
}

// written looks at one saga of it.
func (o *oracle) written(wr *orchestrator.Write) {
	w, in := o.w, &wr.Next
	t := o.tracks[in.ID]
	if t == nil {
		p := w.people.plan(in.Tenant, in.Saga, in.Version)
		if p == nil {
			w.violate("S20", "%s runs on %s version %d, which its tenant does not have", in.ID, in.Saga, in.Version)
			return
		}
		t = &track{plan: p, def: p.def, id: in.ID, tenant: in.Tenant, steps: make([]stepTrack, len(p.def.Steps))}
		o.tracks[in.ID], o.ordered = t, append(o.ordered, t)
	}
	if in.Revision != t.stored+1 {
		w.violate("S17", "%s was written as revision %d over %d", in.ID, in.Revision, t.stored)
	}
	if wr.WakeAt.IsZero() != in.Status.Terminal() {
		w.violate("L2", "%s is %s and its wake time is %v", in.ID, in.Status, wr.WakeAt)
	}
	if in.Broken != "" && !t.plan.trap {
		w.violate("invariant", "an invariant of %s broke: %s\n%s", in.ID, in.Broken, o.tell(t, wr.Facts))
	}
	if t.in.Status.Terminal() && t.in.Status != in.Status {
		w.violate("S16", "%s was %s and is %s", in.ID, t.in.Status, in.Status)
	}
	for i := range wr.Facts {
		o.fact(t, &wr.Facts[i])
	}
	if in.Saga != t.def.Name || in.Version != t.def.Version {
		w.violate("S20", "%s by its history is on version %d, and is on %s version %d", in.ID, t.def.Version, in.Saga, in.Version)
	}
	folded, err := saga.FoldOn(t.def, t.in, wr.Facts)
	if err != nil {
		w.violate("S4", "history is not dense: %v", err)
		return
	}
	if diff := saga.Equivalent(t.def, folded, *in); diff != "" {
		w.violate("S4", "history does not fold to the stored state of %s:\n%s\n%s", in.ID, diff, o.tell(t, wr.Facts))
	}
	t.in, t.stored = folded, in.Revision
	t.facts = append(t.facts, wr.Facts...)
	wake := wr.WakeAt
	if now := o.dbNow(); !wake.IsZero() && wake.Before(now) { // a pause or a hold lasted past it; it is being looked at just now
		wake = now
	}
	o.recovery.woken(in.ID, wake)
}

// begun looks at a saga that has just been started: one for each Idempotency-Key, and one live for each business key (S2).
func (o *oracle) begun(t *track) {
	if t == nil || len(t.facts) == 0 {
		return
	}
	r := o.w.people.byID[t.facts[0].EventID]
	if r == nil {
		o.w.violate("S3", "saga %s was started by nobody: %q", t.id, t.facts[0].EventID)
		return
	}
	key := idemKey{r.Tenant, r.IdempotencyKey}
	if other, taken := o.started[key]; taken {
		o.w.violate("S2", "two sagas for Idempotency-Key %s of %s: %s and %s", r.IdempotencyKey, r.Tenant, other, t.in.ID)
	}
	o.started[key] = t.in.ID
	if t.in.Tenant != r.Tenant {
		o.w.violate("S23", "a start of %s made a saga of %s", r.Tenant, t.in.Tenant)
	}
	if string(t.in.Input) != string(r.Input) {
		o.w.violate("S22", "the input of %s is %s where %s was given", t.in.ID, t.in.Input, r.Input)
	}
	if t.in.Key != "" {
		o.keyTaken(t, r)
	}
}

// rested reports whether nothing is left to happen, and whoever is due was looked at: the last replica may be back only just now.
func (o *oracle) rested() bool {
	if !o.quiet() {
		return false
	}
	now := o.dbNow()
	for _, at := range o.recovery.wakes {
		if !at.IsZero() && at.Before(now) {
			return false
		}
	}
	return true
}

// quiet reports whether nothing is left to happen.
func (o *oracle) quiet() bool {
	if o.w.pending > 0 || o.w.kafka.unread() > 0 || !o.w.outside.quiet() {
		return false
	}
	for _, t := range o.ordered {
		if !t.in.Status.Terminal() && t.in.Status != saga.Suspended {
			return false
		}
	}
	if o.operating() {
		return false
	}
	depth, err := o.w.store.OutboxDepth(context.Background(), 1)
	return err == nil && depth == 0
}
