package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/watermark"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// startsTopicOf is the topic that brings a tenant's starts.
func startsTopicOf(tenant string) string { return tenant + ".starts" }

// outside is whoever starts sagas without asking a replica: by records, and by rows of a database that the engine takes. Its replicas
// read the log each for itself, from what was last committed: that brings more records twice than any group does.
type outside struct {
	w         *world
	rng       *rand.Rand
	rows      []*startRow
	log       []*startEntry
	committed int64
	sessions  map[*replica]*startSession
}

// startRow is a start that was asked for in SQL.
type startRow struct {
	orchestrator.StartAsked
	due      time.Time
	heard    bool // its hint is
	answered bool
	answer   orchestrator.StartAnswered
}

// startEntry is a record of the log.
type startEntry struct {
	orchestrator.Quarantined
	id   string
	kept bool // in quarantine
}

// startSession is what one life of a replica has read.
type startSession struct {
	life int
	low  *watermark.Low
}

// handedStart is what a delivery of the log carries for Mark.
type handedStart struct {
	session *startSession
	entry   *startEntry
}

func newOutside(w *world) *outside {
	return &outside{w: w, rng: rand.New(rand.NewPCG(w.opt.Seed, 31)), sessions: map[*replica]*startSession{}}
}

// join has a replica start what comes from outside, where anything does.
func (o *outside) join(r *replica, store *faultyStore, cfg *orchestrator.Config) {
	if o.w.opt.Outside == 0 {
		return
	}
	o.sessions[r] = &startSession{life: r.life, low: watermark.New(o.committed, 16, 1<<20)}
	cfg.Starts, cfg.StartRequests = &startLog{o, r, store}, &startRows{o, r, store}
	cfg.StartRules = orchestrator.StartRules{Tenants: map[string]string{}, Source: "/skald/sim"}
	for _, tenant := range o.w.people.tenants {
		cfg.StartRules.Tenants[startsTopicOf(tenant)] = tenant
	}
}

// script has them ask while sagas move.
func (o *outside) script() {
	for i := range o.w.opt.Outside {
		ask := func() { o.ask(i) }
		if i%2 == 0 {
			ask = func() { o.send(i) }
		}
		o.w.after(time.Duration(o.rng.Int64N(int64(15*time.Second))), ask)
	}
}

// request makes up what is asked for: now and then of a definition that nobody has.
func (o *outside) request(id, key string) (*request, *wire.Start) {
	p := o.w.people
	versions := p.chosen[o.rng.IntN(len(p.chosen))]
	s := &wire.Start{ID: id, Source: "sim", SagaType: versions[0].def.Name, Value: p.input(1000 + o.rng.IntN(4))}
	if o.rng.IntN(5) == 0 {
		s.SagaType = "nobodys"
	} else if versions[0].def.Key == nil && versions[len(versions)-1].def.Key == nil && o.rng.IntN(3) == 0 {
		s.Key = fmt.Sprintf("order-%d", o.rng.IntN(3))
	}
	r := &request{StartRequest: orchestrator.StartRequest{
		Tenant: p.tenants[o.rng.IntN(len(p.tenants))], Saga: s.SagaType, Key: s.Key, Input: s.Value, IdempotencyKey: key + "\x1f" + id,
	}}
	p.byID[id] = r
	return r, s
}

func (o *outside) ask(i int) {
	r, s := o.request(fmt.Sprintf("sql-%d", i), "start_request")
	o.rows = append(o.rows, &startRow{StartAsked: orchestrator.StartAsked{
		Seq: int64(len(o.rows) + 1), Tenant: r.Tenant, ID: s.ID, Role: "shop", At: o.w.now, Saga: s.SagaType, Key: s.Key, Input: s.Value,
	}, due: o.w.oracle.dbNow(), heard: o.rng.IntN(2) == 0})
}

// send appends a record, and now and then once more.
func (o *outside) send(i int) {
	r, s := o.request(fmt.Sprintf("record-%d", i), "start")
	record := s.Record(startsTopicOf(r.Tenant), nil)
	for range 1 + o.rng.IntN(2) {
		e := &startEntry{id: s.ID, Quarantined: orchestrator.Quarantined{
			Topic: record.Topic, Offset: int64(len(o.log)), Value: record.Value, Timestamp: o.w.now, Tenant: r.Tenant,
		}}
		for _, h := range record.Headers {
			e.Headers = append(e.Headers, orchestrator.Header(h))
		}
		o.log = append(o.log, e)
	}
}

// quiet reports whether all that was asked for is dealt with.
func (o *outside) quiet() bool {
	for _, row := range o.rows {
		if !row.answered {
			return false
		}
	}
	return o.committed == int64(len(o.log))
}

// quarantined compares a start in quarantine with what was asked for; false: it is no start.
func (o *outside) quarantined(q *orchestrator.Quarantined) bool {
	if !strings.HasPrefix(q.Reason, "start_") {
		return false
	}
	for _, e := range o.log {
		if q.Topic == e.Topic && q.Offset == e.Offset && q.Tenant == e.Tenant && string(q.Value) == string(e.Value) {
			e.kept = true
			return true
		}
	}
	for _, row := range o.rows {
		if q.Topic == orchestrator.StartRequestsTopic && q.Offset == row.Seq && q.Tenant == row.Tenant && string(q.Value) == string(row.Input) {
			return true
		}
	}
	o.w.violate("L5", "a start is in quarantine that nobody asked for, or not as it came: %s@%d", q.Topic, q.Offset)
	return true
}

// started reports whether a request has its saga: one of its own, or the one that has its key with the same input.
func (o *outside) started(r *request) bool {
	if _, own := o.w.oracle.started[idemKey{r.Tenant, r.IdempotencyKey}]; own {
		return true
	}
	for _, t := range o.w.oracle.ordered {
		if t.tenant == r.Tenant && t.def.Name == r.Saga && t.in.Key != "" && string(t.in.Input) == string(r.Input) {
			return true
		}
	}
	return false
}

// marked checks the word of a mark (S18).
func (o *outside) marked(h *handedStart) {
	e := h.entry
	if !e.kept && !o.started(o.w.people.byID[e.id]) {
		o.w.violate("S18", "the start at %d is marked, and has neither a saga nor a place in quarantine", e.Offset)
	}
	if r := o.w.people.byID[e.id]; !e.kept {
		if id, own := o.w.oracle.started[idemKey{r.Tenant, r.IdempotencyKey}]; own {
			o.tell(r.Tenant, id)
		}
	}
	if next, _ := h.session.low.Mark(e.Offset); next > o.committed {
		o.committed = next
	}
}

// tell has people look after a saga that nobody of them started.
func (o *outside) tell(tenant string, id saga.ID) {
	if ref := (sagaRef{tenant, id}); !slices.Contains(o.w.people.sagas, ref) {
		o.w.people.sagas = append(o.w.people.sagas, ref)
	}
}

// judge looks at what became of all of them.
func (o *outside) judge() {
	for _, e := range o.log {
		if r := o.w.people.byID[e.id]; !e.kept && !o.started(r) {
			o.w.violate("S18", "the start %s at %d is lost", e.id, e.Offset)
		}
	}
	for _, row := range o.rows {
		r := o.w.people.byID[row.ID]
		t := o.w.oracle.tracks[row.answer.Saga]
		_, own := o.w.oracle.started[idemKey{r.Tenant, r.IdempotencyKey}]
		switch {
		case !row.answered:
			o.w.violate("L6", "start request %s is never answered", row.ID)
		case row.answer.Saga.IsZero() && own && !o.redriven(row):
			o.w.violate("S2", "start request %s was refused (%s: %s), and has a saga", row.ID, row.answer.Code, row.answer.Message)
		case row.answer.Saga.IsZero():
			if o.place(row) == nil {
				o.w.violate("L5", "start request %s was refused, and is not in quarantine", row.ID)
			}
		case t == nil:
			o.w.violate("S1", "start request %s was answered with saga %s, which does not exist", row.ID, row.answer.Saga)
		case t.tenant != row.Tenant || t.def.Name != row.Saga || string(t.in.Input) != string(row.Input):
			o.w.violate("S23", "start request %s of %s was answered with saga %s of %s", row.ID, row.Tenant, t.id, t.tenant)
		}
	}
}

// place is where a refused request stands in quarantine; nil: nowhere.
func (o *outside) place(row *startRow) *orchestrator.QuarantineEntry {
	list, err := o.w.store.Quarantine(context.Background(), orchestrator.QuarantineQuery{Tenant: row.Tenant, Topic: orchestrator.StartRequestsTopic, Limit: 1000})
	if err != nil {
		o.w.violate("world", "the quarantine cannot be read: %v", err)
	}
	for i := range list {
		if list[i].Offset == row.Seq {
			return &list[i]
		}
	}
	return nil
}

// redriven reports whether an operator may have started a refused request: its start comes before what is noted about it.
func (o *outside) redriven(row *startRow) bool {
	e := o.place(row)
	return e != nil && o.w.people.mends > 0
}

// startLog is the log as one replica reads it.
type startLog struct {
	o     *outside
	r     *replica
	store *faultyStore
}

// FetchStarts implements orchestrator.StartSource.
func (l *startLog) FetchStarts(ctx context.Context) ([]orchestrator.Delivery, error) {
	w, s := l.o.w, l.o.sessions[l.r]
	some := func() bool { return s.low.Next() < int64(len(l.o.log)) && !s.low.Full() && !w.kafka.away.After(w.now) }
	w.wait(w.current, call{until: w.now.Add(time.Second), ready: some, ctx: ctx})
	w.port(l.r, "starts.fetch")
	if w.hits(FaultFetchFails) {
		return nil, fmt.Errorf("fetch: %w", errConnection)
	}
	var out []orchestrator.Delivery
	for some() && len(out) < 4 {
		e := l.o.log[s.low.Next()]
		s.low.Add(e.Offset, len(e.Value))
		raw := e.Quarantined
		raw.Tenant = ""
		out = append(out, orchestrator.Delivery{Raw: raw, Ack: &handedStart{s, e}})
	}
	return out, nil
}

// startRows are the rows as one replica reaches them.
type startRows struct {
	o     *outside
	r     *replica
	store *faultyStore
}

// TakeStartRequests implements orchestrator.StartRequests.
func (q *startRows) TakeStartRequests(_ context.Context, limit int, lease time.Duration) (out []orchestrator.StartAsked, err error) {
	if err := q.store.call("starts.take"); err != nil {
		return nil, err
	}
	now := q.o.w.oracle.dbNow()
	for _, row := range q.o.rows {
		if !row.answered && !row.due.After(now) && len(out) < limit {
			row.due = now.Add(lease)
			row.Until = row.due
			out = append(out, row.StartAsked)
		}
	}
	return out, q.store.answer("starts.taken")
}

// AnswerStartRequests implements orchestrator.StartRequests.
func (q *startRows) AnswerStartRequests(_ context.Context, answers []orchestrator.StartAnswered) error {
	if err := q.store.call("starts.answer"); err != nil {
		return err
	}
	for _, a := range answers {
		row := q.o.rows[a.Seq-1]
		if row.answer.Saga.IsZero() && (!a.Saga.IsZero() || a.Until.Equal(row.due)) {
			row.answered, row.answer = true, a
			if !a.Saga.IsZero() {
				q.o.tell(row.Tenant, a.Saga)
			}
		}
		if t := q.o.w.oracle.tracks[a.Saga]; t == nil && a.Saga != (saga.ID{}) {
			q.o.w.violate("S1", "start request %s was answered before its saga was committed", row.ID)
		}
	}
	return q.store.answer("starts.answered")
}

// AwaitStartRequests implements orchestrator.StartRequests. Half of the hints are heard.
func (q *startRows) AwaitStartRequests(ctx context.Context, d time.Duration) error {
	w := q.o.w
	heard := func() bool {
		for _, row := range q.o.rows {
			if row.heard && !row.answered && !row.due.After(w.oracle.dbNow()) {
				return true
			}
		}
		return false
	}
	w.wait(w.current, call{until: w.now.Add(d), ready: heard, ctx: ctx})
	w.port(q.r, "starts.await")
	return nil
}
