package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// actors are the participants: the SDK with its barrier in memory, and a ledger of what they did.
type actors struct {
	w      *world
	byName map[string]*participants.Participant
	ledger map[effectKey]*effect
	nextID uint64
	honest bool
}

type effectKey struct {
	saga wire.ID
	step string
}

// effect is what truly happened: how often a step took effect and how often that was undone.
type effect struct{ done, undone int }

func newActors(w *world) *actors {
	a := &actors{w: w, byName: map[string]*participants.Participant{}, ledger: map[effectKey]*effect{}}
	for _, name := range []string{"alpha", "beta", "gamma"} {
		p := participants.New(name, &participants.Memory{NoWait: true}, participants.Config{Bare: true, Now: func() time.Time { return w.now }, NewID: a.newID})
		p.Handle("Do.v1", a.execute, nil)
		p.Handle("Undo.v1", nil, a.compensate)
		a.byName[name] = p
	}
	return a
}

func (a *actors) newID() wire.ID {
	a.nextID++
	var id wire.ID
	for i := range 8 {
		id[15-i] = byte(a.nextID >> (8 * i))
	}
	return id
}

func (a *actors) heal() { a.honest = true }

// of is the ledger's line of a step.
func (a *actors) of(saga wire.ID, step string) *effect {
	key := effectKey{saga, step}
	if a.ledger[key] == nil {
		a.ledger[key] = &effect{}
	}
	return a.ledger[key]
}

// mood is how the participant takes a step of a saga: the same for every attempt.
func (a *actors) mood(c *wire.Command, what string) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %s %s", a.w.opt.Seed, c.SagaID, c.Step, what)
	return float64(h.Sum64()%10_000) / 10_000
}

func (a *actors) execute(_ context.Context, req *participants.Request) (participants.Result, error) {
	if a.mood(req.Command, "reject") < rejectShare && req.Step != "ship" {
		return participants.Reject("no", "this one is refused")
	}
	if !a.honest && a.w.hits(FaultParticipantFails) {
		return participants.Fail("broken", "try again")
	}
	e := a.of(req.SagaID, req.Step)
	req.Tx.(*participants.MemoryEffects).OnCommit(func() { e.done++ })
	return participants.Succeed(json.RawMessage(`{"by":"` + req.Step + `"}`))
}

const rejectShare = 0.08

func (a *actors) compensate(_ context.Context, req *participants.Request) (participants.Result, error) {
	if a.mood(req.Command, "undo") < 0.03 {
		return participants.Reject("stays", "this one cannot be undone")
	}
	if !a.honest && a.w.hits(FaultParticipantFails) {
		return participants.Fail("broken", "try again")
	}
	e := a.of(req.SagaID, req.Step)
	req.Tx.(*participants.MemoryEffects).OnCommit(func() { e.undone++ })
	return participants.Succeed(nil)
}

// deliver hands a command over after a while; its participant may die before it answers and then gets it again.
func (a *actors) deliver(r orchestrator.Record) {
	w := a.w
	delay := time.Duration(w.sched.IntN(5000)) * time.Microsecond
	if w.hits(FaultDeliveryLate) {
		delay += time.Duration(w.sched.IntN(20_000)) * time.Millisecond
	}
	w.after(delay, func() { a.answer(r) })
}

func (a *actors) answer(r orchestrator.Record) {
	w := a.w
	if w.hits(FaultDiesBefore) {
		a.deliver(r)
		return
	}
	record := wire.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, wire.Header(h))
	}
	c, err := wire.DecodeCommand(record)
	if err != nil {
		w.violate("world", "a command cannot be read: %v", err)
		return
	}
	reply, err := a.byName[c.Participant].Answer(context.Background(), &c, func(context.Context, wire.Reply) {})
	if err != nil {
		w.violate("world", "the participant does not answer %s: %v", c.Step, err)
		return
	}
	w.note("answer", c.Step, string(c.Verb), string(reply.Outcome))
	switch {
	case w.hits(FaultDiesAfter):
		a.deliver(r)
		return
	case !a.honest && w.hits(FaultSilent):
		return
	}
	times := 1
	if w.hits(FaultReplyTwice) {
		times = 2
	}
	for range times {
		delay := time.Duration(w.sched.IntN(3000)) * time.Microsecond
		if w.hits(FaultReplyLate) {
			delay += time.Duration(w.sched.IntN(15_000)) * time.Millisecond
		}
		w.after(delay, func() { w.kafka.reply(reply.Record("skald.replies")) })
	}
}
