package sim

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// brokerOracle checks what is promised about Kafka while the world runs: that what is committed is published (S6) and in what order
// (S7), that offsets follow state (S18), and that what nobody may apply comes into quarantine byte for byte (S9, L5).
type brokerOracle struct {
	w         *world
	promises  map[recordName]*promise
	seen      map[commandName]bool // commands that some attempt of has been appended
	lanes     map[lane][]*promise  // per saga and topic, in commit order; what has appeared is cut off at the front
	order     []*promise
	sequences map[saga.ID]int64
	stored    map[saga.ID]*saga.Instance
	writes    map[saga.ID]int // by saga
	refusals  map[commandName]bool
	handed    map[*replica]map[place][]*entry // several where the topic was made anew
	silent    map[saga.BatchID][]*promise     // of transactions without facts
}

// recordName names one record of the outbox: an attempt of a command, or an event.
type recordName struct {
	command  commandName
	attempt  int
	sequence string // of an event
}

type lane struct {
	saga  saga.ID
	topic string
}

type place struct {
	partition int32
	offset    int64
}

// promise is a record that a committed transaction holds.
type promise struct {
	name     recordName
	replica  *replica
	life     int // of the replica that committed it
	at       time.Time
	appended bool
	refused  bool
	unknown  bool // a try to publish it had no known end
}

func newBrokerOracle(w *world) *brokerOracle {
	return &brokerOracle{
		w: w, promises: map[recordName]*promise{}, seen: map[commandName]bool{}, lanes: map[lane][]*promise{}, sequences: map[saga.ID]int64{},
		stored: map[saga.ID]*saga.Instance{}, writes: map[saga.ID]int{}, refusals: map[commandName]bool{}, handed: map[*replica]map[place][]*entry{},
		silent: map[saga.BatchID][]*promise{},
	}
}

func recordOf(r *orchestrator.Record) recordName {
	if r.Kind == orchestrator.RecordCommand {
		return recordName{command: nameOf(r), attempt: r.Attempt}
	}
	name := recordName{command: commandName{saga: r.Saga}}
	for _, h := range r.Headers {
		if h.Key == wire.HeaderSequence {
			name.sequence = string(h.Value)
		}
	}
	return name
}

func (n recordName) String() string {
	if n.sequence != "" {
		return fmt.Sprintf("event %s of %s", n.sequence, saga.ID(n.command.saga))
	}
	return fmt.Sprintf("%s %s %s, edition %d, attempt %d", saga.ID(n.command.saga), n.command.step, n.command.verb, n.command.edition, n.attempt)
}

// committed looks at a transaction of a replica that has just been committed.
func (o *brokerOracle) committed(r *replica, b orchestrator.Batch) {
	redriven := o.redriven(b.Handled)
	for i := range b.Writes {
		in := b.Writes[i].Next
		o.stored[in.ID] = &in
		o.writes[in.ID]++
		for j := range b.Writes[i].Facts {
			o.fact(r, in.ID, &b.Writes[i].Facts[j], redriven)
		}
	}
	for i := range b.Quarantine {
		o.quarantined(r, &b.Quarantine[i])
	}
	silent := !slices.ContainsFunc(b.Writes, func(w orchestrator.Write) bool { return len(w.Facts) > 0 })
	for i := range b.Outbox {
		rec := &b.Outbox[i]
		p := &promise{name: recordOf(rec), replica: r, life: r.life, at: o.w.now}
		if o.promises[p.name] != nil {
			o.w.violate("S6", "%s is in two transactions", p.name)
		}
		o.promises[p.name] = p
		at := lane{rec.Saga, rec.Topic}
		o.lanes[at] = append(o.lanes[at], p)
		o.order = append(o.order, p)
		if silent {
			o.silent[b.ID] = append(o.silent[b.ID], p)
		}
	}
}

func (o *brokerOracle) fact(r *replica, id saga.ID, f *saga.Fact, redriven map[place]bool) {
	if f.Sequence > 0 {
		if o.sequences[id]++; f.Sequence != o.sequences[id] {
			o.w.violate("S6", "the events of %s are not dense: %d where %d is next", id, f.Sequence, o.sequences[id])
		}
	}
	if f.Code == "unpublishable" && f.Verb != "" {
		o.refusals[commandName{saga: id, step: f.Step, verb: string(f.Verb), edition: f.Edition}] = true
	}
	if f.Reply == nil || redriven[place{f.Reply.Partition, f.Reply.Offset}] {
		return
	}
	var e *entry
	for _, other := range o.handed[r][place{f.Reply.Partition, f.Reply.Offset}] {
		if eventID, _ := other.record.Header(wire.HeaderID); eventID == f.EventID && (e == nil || e.forged != "") {
			e = other
		}
	}
	switch {
	case e == nil:
		o.w.violate("S9", "%s has a fact about a reply at %d/%d that %s never read", id, f.Reply.Partition, f.Reply.Offset, r.name)
	case e.forged != "":
		o.w.violate("S9", "a reply with %s was applied to %s", e.forged, id)
	default:
		e.settled = true
	}
}

// quarantined compares a record in quarantine with what was in the topic.
func (o *brokerOracle) quarantined(r *replica, q *orchestrator.Quarantined) {
	if o.w.outside.quarantined(q) {
		return
	}
	handed := o.handed[r][place{q.Partition, q.Offset}]
	if len(handed) == 0 {
		o.w.violate("L5", "%s put a record in quarantine that it never read: %d/%d", r.name, q.Partition, q.Offset)
		return
	}
	for _, e := range handed {
		if asItCame(q, &e.record) {
			e.settled = true
			return
		}
	}
	o.w.violate("L5", "the record at %d/%d is not in quarantine as it came: %q", q.Partition, q.Offset, handed[len(handed)-1].forged)
}

// asItCame reports whether a record in quarantine is one of a topic, but for its token.
func asItCame(q *orchestrator.Quarantined, came *wire.Record) bool {
	same := q.Topic == came.Topic && bytes.Equal(q.Key, came.Key) && bytes.Equal(q.Value, came.Value) &&
		q.Timestamp.Equal(came.Timestamp) && len(q.Headers) == len(came.Headers)
	for i := 0; same && i < len(q.Headers); i++ {
		got, want := q.Headers[i], came.Headers[i]
		if got.Key == wire.HeaderSagaToken {
			same = want.Key == got.Key && !bytes.Contains(got.Value, want.Value)
			continue
		}
		same = got.Key == want.Key && bytes.Equal(got.Value, want.Value)
	}
	return same
}

// appended looks at a record that stands in its topic.
func (o *brokerOracle) appended(r *orchestrator.Record) {
	p := o.promises[recordOf(r)]
	if p == nil {
		o.w.violate("S3", "%s was published and never committed", recordOf(r))
		return
	}
	if p.appended {
		return
	}
	p.appended = true
	at := lane{r.Saga, r.Topic}
	for _, q := range o.lanes[at] {
		if q == p {
			break
		}
		if !q.appended && !o.excused(q, p) && !o.seen[q.name.command] { // a further attempt is no first sight
			o.w.violate("S7", "%s is first seen before %s, which was committed before it", p.name, q.name)
		}
	}
	if p.name.sequence == "" {
		o.seen[p.name.command] = true
	}
	for l := o.lanes[at]; len(l) > 0 && l[0].appended; l = o.lanes[at] {
		o.lanes[at] = l[1:]
	}
}

// excused reports whether q may be seen after p, which was committed after it: when they come from two replicas, or after a crash,
// a stall, or a publish that ended unknown, the barrier makes any order harmless (S7).
func (o *brokerOracle) excused(q, p *promise) bool {
	return q.refused || q.unknown || q.replica != p.replica || q.life != p.life || q.life != q.replica.life || q.replica.dead ||
		o.w.now.Sub(q.at) >= publishFor
}

// answerLost notes that nobody knows whether a transaction is committed. One without facts is run again, and what it holds is swept
// late.
func (o *brokerOracle) answerLost(id saga.BatchID) {
	for _, p := range o.silent[id] {
		p.unknown = true
	}
}

func (o *brokerOracle) unknown(r *orchestrator.Record) {
	if p := o.promises[recordOf(r)]; p != nil {
		p.unknown = true
	}
}

func (o *brokerOracle) refused(r *orchestrator.Record) {
	if p := o.promises[recordOf(r)]; p != nil {
		p.refused = true
	}
}

// handedOut notes that a replica was given a record.
func (o *brokerOracle) handedOut(r *replica, e *entry, id saga.ID) {
	if o.handed[r] == nil {
		o.handed[r] = map[place][]*entry{}
	}
	at := place{e.record.Partition, e.record.Offset}
	o.handed[r][at] = append(o.handed[r][at], e)
	e.handed = o.writes[id]
}

// marked checks the word of a mark: the record's transaction is committed. It is one that holds the record, or the record changes
// nothing.
func (o *brokerOracle) marked(e *entry, d *orchestrator.Delivery) {
	if e.dealt || e.settled {
		e.dealt = true
		return
	}
	if why := o.changes(e, d); why != "" {
		o.w.violate("S18", "the reply at %d/%d is marked, and %s", e.record.Partition, e.record.Offset, why)
	}
	e.dealt = true
}

// changes says what applying a record now would change; empty: nothing.
func (o *brokerOracle) changes(e *entry, d *orchestrator.Delivery) string {
	if e.forged != "" {
		return "it has " + e.forged + " and is not in quarantine (S9)"
	}
	in := o.stored[d.Saga]
	if in == nil || d.Poison != nil {
		return "it is not in quarantine"
	}
	if d.Reply.Outcome == saga.ReplyInProgress && o.writes[d.Saga] > e.handed {
		return "" // a heartbeat leaves no fact
	}
	plan := o.w.people.plan(in.Tenant, in.Saga, in.Version)
	if plan.trap {
		return "" // its event is what it broke of
	}
	decision, err := saga.Decide(plan.def, *in, saga.Event{ID: d.ID, Body: d.Reply, Env: saga.Env{At: o.w.now, Jitter: 0.5}})
	switch {
	case err != nil:
		return "it is not in quarantine: " + err.Error()
	case decision.Outcome != saga.Ignored && len(decision.Facts) > 0:
		return fmt.Sprintf("no transaction holds it: it would now be %s", decision.Facts[0].Type)
	}
	return ""
}

// offsetMoved checks a commit of the group (S18): below it every record is dealt with.
func (o *brokerOracle) offsetMoved(p *partitionLog, partition int, to int64) {
	for ; p.checked < to; p.checked++ {
		if p.checked >= p.start && p.checked < p.end() && !p.at(p.checked).dealt {
			o.w.violate("S18", "the offset of partition %d moves to %d, and the record at %d is not dealt with", partition, to, p.checked)
			return
		}
	}
}

// judge says what is wrong at the end: a committed record that is in no topic, and of which its saga does not say that it cannot
// be (S6), and replies that nobody deals with (L5).
func (o *brokerOracle) judge() {
	if n := o.w.kafka.unread(); n > 0 {
		o.w.violate("L5", "%d replies are dealt with by nobody", n)
	}
	seen := map[commandName]bool{}
	for _, p := range o.order {
		if p.appended {
			seen[p.name.command] = true
		}
	}
	for _, p := range o.order {
		switch {
		case p.appended:
		case !p.refused:
			o.w.violate("S6", "%s was committed and never published", p.name)
		case !seen[p.name.command] && !o.refusals[p.name.command.told()]:
			o.w.violate("S6", "%s was refused, and its saga does not say so\n%s", p.name, o.w.oracle.story(saga.ID(p.name.command.saga)))
		}
	}
}
