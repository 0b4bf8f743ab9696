package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

var participantNames = [...]string{"alpha", "beta", "gamma"}

// actors are the participants: the SDK with its barrier in memory, an outside provider, and a ledger of what they did.
type actors struct {
	w        *world
	rng      *rand.Rand
	ring     *wire.Keyring // of the engine: a lie may carry a token that fits
	byName   map[string]*participants.Participant
	ledger   map[effectKey]*effect
	provider map[wire.ID]*providerCall // by idempotency key
	said     map[string]*said          // replies by ce_id
	asked    map[effectKey][]wire.Command
	downTill map[string]time.Time
	current  *delivery // whose coroutine runs
	open     map[*delivery]bool
	openRows map[effectKey]int // deliveries that are kept open, by step
	moods    moods
	nextID   uint64
	honest   bool
}

// moods are the shares of steps that a seed's participants take in an unusual way.
type moods struct{ reject, retriableReject, undoReject, undoBroken, notFound float64 }

type effectKey struct {
	saga wire.ID
	step string
}

// effect is what truly happened: how often a step took effect and how often that was undone.
type effect struct{ done, undone int }

func newActors(w *world) *actors {
	a := &actors{
		w: w, rng: rand.New(rand.NewPCG(w.opt.Seed, 21)), ring: w.kafka.ring,
		byName: map[string]*participants.Participant{}, ledger: map[effectKey]*effect{}, provider: map[wire.ID]*providerCall{},
		said: map[string]*said{}, asked: map[effectKey][]wire.Command{}, downTill: map[string]time.Time{},
		open: map[*delivery]bool{}, openRows: map[effectKey]int{},
	}
	a.moods = moods{reject: 0.16 * a.rng.Float64(), retriableReject: 0.06 * a.rng.Float64(), undoReject: 0.1 * a.rng.Float64(), undoBroken: 0.1 * a.rng.Float64(), notFound: 0.05 * a.rng.Float64()}
	for _, name := range participantNames {
		a.byName[name] = a.participant(name)
	}
	return a
}

func (a *actors) participant(name string) *participants.Participant {
	barrier := &waitingBarrier{a: a, inner: &participants.Memory{NoWait: true}}
	p := participants.New(name, barrier, participants.Config{Bare: true, Now: func() time.Time { return a.w.now }, NewID: a.newID})
	p.Handle("Do.v1", a.execute, nil)
	p.Handle("Undo.v1", nil, a.compensate)
	p.HandleExternal("Call.v1", participants.External{Execute: a.call, Ask: a.ask})
	p.HandleExternal("UndoCall.v1", participants.External{Compensate: a.undoCall, Ask: a.ask})
	p.HandleExternal("Ask.v1", participants.External{Ask: a.ask})
	return p
}

// newID makes the id of a reply.
func (a *actors) newID() wire.ID {
	a.nextID++
	var id wire.ID
	for i := range 8 {
		id[15-i] = byte(a.nextID >> (8 * i))
	}
	return id
}

// heal begins the second phase: nobody lies or is down any more.
func (a *actors) heal() {
	a.honest = true
	clear(a.downTill)
}

// stop ends the coroutines of what is still open.
func (a *actors) stop() {
	for d := range a.open {
		d.drop()
	}
}

// of is the ledger's line of a step.
func (a *actors) of(id wire.ID, step string) *effect {
	key := effectKey{id, step}
	if a.ledger[key] == nil {
		a.ledger[key] = &effect{}
	}
	return a.ledger[key]
}

// hits is the world's, in the first phase.
func (a *actors) hits(f Fault) bool { return !a.honest && a.w.hits(f) }

// mood is how the participant takes a step of a saga, in [0, 1): the same for every attempt.
func (a *actors) mood(c *wire.Command, what byte) float64 {
	h := mix(a.w.opt.Seed + uint64(what))
	for _, b := range c.SagaID {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	for i := range len(c.Step) {
		h = (h ^ uint64(c.Step[i])) * 0x100000001b3
	}
	return unit(mix(h))
}

// step is what the definition says of the command's step.
func (a *actors) step(c *wire.Command) *saga.Step {
	def := a.w.people.plan(c.Tenant, c.SagaType, c.SagaVersion).def
	return &def.Steps[def.StepIndex(c.Step)]
}

// deliver hands a command over after a while; its participant may die before it answers and then gets it again.
func (a *actors) deliver(r orchestrator.Record, e *entry) {
	delay := time.Duration(a.rng.IntN(5000)) * time.Microsecond
	if a.hits(FaultDeliveryLate) {
		delay += time.Duration(a.rng.IntN(20_000)) * time.Millisecond
	}
	a.w.after(delay, func() { a.arrive(r, e) })
}

// arrive has a command answered, at once or over a while.
func (a *actors) arrive(r orchestrator.Record, e *entry) {
	w := a.w
	c, err := wire.DecodeCommand(wireRecord(r))
	if err != nil {
		w.violate("world", "a command cannot be read: %v", err)
		return
	}
	if till := a.downTill[c.Participant]; w.now.Before(till) {
		w.after(till.Sub(w.now), func() { a.deliver(r, e) })
		return
	}
	if a.hits(FaultParticipantDown) {
		a.downTill[c.Participant] = w.now.Add(time.Duration(5+a.rng.IntN(60)) * time.Second)
		a.deliver(r, e)
		return
	}
	if a.hits(FaultDiesBefore) {
		a.deliver(r, e)
		return
	}
	w.oracle.received(&c)
	key := effectKey{c.SagaID, c.Step}
	a.asked[key] = append(a.asked[key], c)
	d := &delivery{a: a, record: r, command: c, key: key, entry: e}
	if c.Verb == wire.Probe && a.hits(FaultParticipantFails) { // its database is away
		d.reply = wire.ReplyTo(&c, a.newID(), w.now)
		d.reply.Outcome, d.reply.Code = wire.Failed, wire.CodeBarrierUnavailable
		a.answered(d)
		return
	}
	keep, beats := a.hits(FaultKeepsOpen), a.hits(FaultHeartbeats)
	if keep || beats || a.openRows[key] > 0 {
		a.keepOpen(d, keep, beats)
		return
	}
	d.answer(nil)
	a.answered(d)
}

// answered sends the reply, unless the participant dies first or keeps silent.
func (a *actors) answered(d *delivery) {
	w := a.w
	if d.err != nil {
		w.violate("world", "the participant does not answer %s: %v", d.command.Step, d.err)
		return
	}
	w.note("answer", d.command.Step, string(d.command.Verb), string(d.reply.Outcome))
	switch {
	case a.hits(FaultDiesAfter):
		a.deliver(d.record, d.entry)
		return
	case a.hits(FaultSilent):
	default:
		a.say(&d.command, d.reply)
	}
	d.entry.read = true
}

func (d *delivery) answer(beat func(context.Context, wire.Reply)) {
	d.reply, d.err = d.a.byName[d.command.Participant].Answer(context.Background(), &d.command, beat)
}

func wireRecord(r orchestrator.Record) wire.Record {
	record := wire.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: make([]wire.Header, len(r.Headers))}
	for i, h := range r.Headers {
		record.Headers[i] = wire.Header(h)
	}
	return record
}
