package sim

import (
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// said is a reply that somebody sent: what the oracle compares facts with.
type said struct {
	saga    wire.ID
	step    string
	verb    wire.Verb
	edition int
	outcome wire.Outcome
	valid   bool // its token fits
}

// say sends a reply, now or later, once or twice, true or not.
func (a *actors) say(c *wire.Command, reply wire.Reply) {
	settles := reply.Outcome == wire.Succeeded || reply.Outcome == wire.Rejected
	if settles && a.hits(FaultLieFlip) {
		a.lie(c.SagaID)
		reply = a.flipped(reply)
	}
	a.send(reply, true)
	if settles && a.hits(FaultLieTwice) {
		a.lie(c.SagaID)
		other := a.flipped(reply)
		a.w.after(time.Duration(a.rng.IntN(8000))*time.Millisecond, func() { a.send(other, true) })
	}
	if a.hits(FaultLieForged) {
		a.lie(c.SagaID)
		a.forge(c, reply)
	}
	if a.hits(FaultTokenForged) {
		a.forgeToken(reply)
	}
}

func (a *actors) send(reply wire.Reply, valid bool) {
	w := a.w
	a.said[reply.ID.String()] = &said{reply.SagaID, reply.Step, reply.Verb, reply.Edition, reply.Outcome, valid}
	record := reply.Record("skald.replies")
	times := 1
	if a.hits(FaultReplyTwice) {
		times = 2
	}
	for range times {
		delay := time.Duration(a.rng.IntN(3000)) * time.Microsecond
		if a.hits(FaultReplyLate) {
			delay += time.Duration(a.rng.IntN(15_000)) * time.Millisecond
		}
		if a.hits(FaultReplyVeryLate) {
			delay += time.Duration(2+a.rng.IntN(20)) * time.Minute
		}
		w.after(delay, func() { w.kafka.reply(record) })
	}
}

// lie notes that a saga cannot know any more what is true.
func (a *actors) lie(id wire.ID) { a.w.oracle.liedTo(id) }

// flipped is the same answer with the other outcome.
func (a *actors) flipped(r wire.Reply) wire.Reply {
	r.ID = a.newID()
	if r.Outcome == wire.Succeeded {
		r.Outcome, r.Code, r.Value = wire.Rejected, "lie", nil
		return r
	}
	r.Outcome, r.Code, r.Message, r.Value = wire.Succeeded, "", "", []byte(`{"by":"a lie"}`)
	return r
}

// forge answers, with a token that fits, some other command than the one that was asked: of another step, verb or edition,
// asked or not.
func (a *actors) forge(c *wire.Command, r wire.Reply) {
	r.ID = a.newID()
	def := a.w.people.plan(c.Tenant, c.SagaType, c.SagaVersion).def
	switch a.rng.IntN(4) {
	case 0:
		r.Step = def.Steps[a.rng.IntN(len(def.Steps))].Name
	case 1:
		r.Edition = a.rng.IntN(r.Edition + 2)
	case 2:
		r.Verb = []wire.Verb{wire.Execute, wire.Compensate, wire.Probe}[a.rng.IntN(3)]
	case 3:
		r.Attempt = 1 + a.rng.IntN(r.Attempt+1)
	}
	r.Outcome = []wire.Outcome{wire.Succeeded, wire.Rejected, wire.Failed, wire.InProgress, wire.Unknown}[a.rng.IntN(5)]
	if a.rng.IntN(4) == 0 {
		r.Code = []string{wire.CodeNothingToUndo, wire.CodeNotFound}[a.rng.IntN(2)]
	}
	r.CausationID = wire.CommandID(r.SagaID, r.Step, r.Verb, r.Edition)
	r.Token = a.ring.Sign(r.Tenant, r.SagaID, r.CausationID, r.Participant)
	delay := time.Duration(a.rng.IntN(10_000)) * time.Millisecond
	a.w.after(delay, func() { a.send(r, true) })
}

// forgeToken answers for what it was not asked, with the only token that it has: nothing of that may be applied (S9).
func (a *actors) forgeToken(r wire.Reply) {
	r.ID = a.newID()
	switch a.rng.IntN(5) {
	case 0:
		r.Step += "x"
	case 1:
		r.Edition++
	case 2:
		if r.Verb = wire.Compensate; a.rng.IntN(2) == 0 {
			r.Verb = wire.Probe
		}
		if r.CausationID == wire.CommandID(r.SagaID, r.Step, r.Verb, r.Edition) {
			r.Edition++
		}
	case 3:
		r.Tenant += "x"
	case 4:
		if other := a.w.people.someSaga(); other != r.SagaID && !other.IsZero() {
			r.SagaID = other
		} else {
			r.Participant = "mallory"
		}
	}
	if a.rng.IntN(2) == 0 {
		r.CausationID = wire.CommandID(r.SagaID, r.Step, r.Verb, r.Edition)
	}
	r.Outcome = wire.Rejected
	a.send(r, false)
}
