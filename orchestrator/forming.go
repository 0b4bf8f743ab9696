package orchestrator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Grid is what stored wake times are rounded up to, so that the transitions of a fast saga leave the index alone.
const Grid = 10 * time.Second

// PreciseWithin is how soon a wake time must be for the committing replica to keep a precise timer for it.
const PreciseWithin = 30 * time.Second

// OnGrid rounds a wake time up to the grid; zero stays zero.
func OnGrid(t time.Time) time.Time { return onGrid(t, Grid) }

func onGrid(t time.Time, grid time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	if r := t.Truncate(grid); !r.Equal(t) {
		return r.Add(grid)
	}
	return t
}

// working is one saga within a batch that is being formed.
type working struct {
	id     saga.ID
	def    *saga.Definition
	tenant string
	in     saga.Instance
	stored int64     // revision as loaded; 0: new
	wakeAt time.Time // as stored, on the grid
	wake   time.Time // as decided; what a precise timer is set to
	sent   []saga.Sent
	facts  []saga.Fact
	seen   bool // Decide was called
}

// forming is a batch that is being formed: everything between Begin and Commit.
type forming struct {
	batch    Batch
	at       time.Time
	began    time.Time // of this replica's clock, when at was read
	holds    []Hold
	limits   []*allowance
	turn     bool             // the item that is judged is a saga's whose turn it is
	fed      map[*limited]int // how many of those there were
	encoder  Encoder
	log      *slog.Logger
	grid     time.Duration
	jitter   func() float64
	sagas    map[saga.ID]*working
	order    []saga.ID
	answers  []func()                     // once committed
	marks    []Delivery                   // once committed
	settled  []Settled                    // what events took out of the outbox
	later    []*item                      // for the next batch, once committed
	asked    map[string]struct{}          // participants that commands go to
	handled  map[int64]QuarantineHandling // of locked records, as earlier items of the batch left them
	counting bool                         // somebody wants seen
	seen     []sighting                   // of participants; once committed
	tracer   Tracer                       // nil: nobody traces
	spans    []Span                       // once committed
	ignored  int
	rejected int
	starts   OutsideStarts
	withheld string // the topic that an answer to a start was not sent to; "": every one was
	// withdrawn are starts from outside that were refused after they had won a key, with why; nil: none was.
	withdrawn map[*item]answer
}

// decide judges an event and gathers what follows. A panic becomes a broken invariant: it stops that saga alone (L5).
func (f *forming) decide(w *working, ev saga.Event) (d saga.Decision, err error) {
	ev.Env = saga.Env{At: f.at, Jitter: f.jitter(), Holds: HoldsFor(f.holds, w.tenant, w.id, w.def), Limits: f.limitsFor(w), Sent: f.sentOf(w), Batch: f.batch.ID, Index: len(f.batch.Outbox)}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, killed := p.(Kill); killed {
					panic(p)
				}
				f.log.Error("deciding panicked", "saga_id", w.in.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				why := fmt.Sprintf("judging %T panicked: %v", ev.Body, p)
				if w.in.ID.IsZero() {
					err = saga.Unstartable(why)
					return
				}
				d, err = saga.Break(w.def, w.in, ev.Env, ev.ID, why), nil
			}
		}()
		d, err = saga.Decide(w.def, w.in, ev)
	}()
	if err == nil {
		if f.counting {
			f.seen = sightings(f.seen, w.def, &w.in, &d.Next, ev.Body, d.Outcome)
		}
		f.trace(w, &w.in, &d.Next, ev.Body)
		f.take(w, d)
		if act, ok := ev.Body.(saga.Acted); ok && act.To != nil && act.To.Definition.Version == d.Next.Version {
			w.def = act.To.Definition // later events of the batch are judged by it
		}
	}
	return d, err
}

// take gathers what follows from a decision: the next state, its facts, and what is to be sent.
func (f *forming) take(w *working, d saga.Decision) {
	for _, a := range f.limits {
		a.used(w.tenant, w.def, &w.in, &d.Next)
	}
	if w.in, w.wake, w.seen = d.Next, d.WakeAt, true; w.in.Revision > w.stored {
		w.in.Revision = w.stored + 1 // one transaction is one revision, however many events it holds
	}
	w.facts = append(w.facts, d.Facts...)
	if d.Outcome == saga.Ignored {
		f.ignored++
	}
	for _, cmd := range d.Commands {
		f.asked[cmd.Participant] = struct{}{}
		f.batch.Outbox = append(f.batch.Outbox, f.encoder.Command(&w.in, cmd, f.at))
	}
	for _, fact := range d.Facts {
		if fact.Sequence > 0 {
			f.batch.Outbox = append(f.batch.Outbox, f.encoder.Event(&w.in, fact))
		}
	}
}

// Kill is what the simulation panics with out of a port call to kill a replica; nothing recovers from it.
type Kill struct{}

// sentOf is what is known of the saga's open commands; those of this very batch are not published yet.
func (f *forming) sentOf(w *working) []saga.Sent {
	var out []saga.Sent
	for _, leg := range w.in.Open() {
		if leg.Batch == f.batch.ID {
			out = append(out, saga.Sent{Step: leg.Step, Verb: leg.Verb, Unpublished: true})
			continue
		}
		for _, s := range w.sent {
			if s.Step == leg.Step && s.Verb == leg.Verb {
				out = append(out, s)
			}
		}
	}
	return out
}

// limitsFor are the limits that concern a saga, with the room that the batch has left.
func (f *forming) limitsFor(w *working) (out []saga.Limit) {
	for _, a := range f.limits {
		if a.limit.Concerns(w.tenant, w.def) {
			out = append(out, a.forSaga(f.turn))
		}
	}
	return out
}

// begin adds a saga to the batch.
func (f *forming) begin(id saga.ID, tenant string, def *saga.Definition) *working {
	w := &working{id: id, def: def, tenant: tenant}
	f.sagas[id] = w
	f.order = append(f.order, id)
	return w
}

// drop takes back a saga whose start came to nothing.
func (f *forming) drop(id saga.ID) {
	delete(f.sagas, id)
	f.order = slices.DeleteFunc(f.order, func(other saga.ID) bool { return other == id })
}

// close turns what was decided into writes, in the order of ids.
func (f *forming) close() {
	f.batch.Writes = make([]Write, 0, len(f.order))
	slices.SortFunc(f.order, func(a, b saga.ID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range f.order {
		w := f.sagas[id]
		wake := onGrid(w.wake, f.grid)
		if !w.seen || w.in.Revision == w.stored && wake.Equal(w.wakeAt) {
			continue
		}
		w.in.Revision = w.stored + 1
		env := saga.Env{At: f.at, Holds: HoldsFor(f.holds, w.tenant, w.id, w.def)}
		f.batch.Writes = append(f.batch.Writes, Write{Next: w.in, WakeAt: wake, Facts: w.facts, Blocked: saga.Blocked(w.def, w.in, env)})
	}
}

func (f *forming) empty() bool {
	b := &f.batch
	return len(b.Writes)+len(b.Outbox)+len(b.Settled)+len(b.Rekeys)+len(b.Answers)+len(b.Audit)+len(b.Quarantine)+len(b.Handled) == 0
}

func (f *forming) quarantine(d *Delivery, reason, message string) {
	q := d.Raw
	q.Reason, q.Message, q.Saga, q.Tenant = reason, message, d.Saga, d.Tenant
	f.batch.Quarantine = append(f.batch.Quarantine, q)
	f.rejected++
}

// keep stores the answer of a request whose Idempotency-Key was won.
func (f *forming) keep(tenant, key string, a answer) {
	if key == "" {
		return
	}
	body, err := json.Marshal(a)
	if err != nil { // answers hold no payloads
		body = json.RawMessage("{}")
	}
	f.batch.Answers = append(f.batch.Answers, Answer{Tenant: tenant, Key: key, Body: body})
}

func compareClaims(a, b Claim) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Saga, b.Saga), cmp.Compare(a.Key, b.Key))
}
