package explore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// choice is what a handler does with a command that is new to the barrier.
type choice uint8

const (
	succeeds    choice = iota
	succeedsBad        // with an output that breaks `returns`
	rejects
	fails
	dies   // outside effects only: after the provider was called, before its answer was stored
	claims // outside effects only: its command is claimed, and the provider not yet called
)

func (c choice) String() string {
	return [...]string{"succeeds", "succeeds with a bad output", "rejects", "fails", "dies after its effect", "claims it"}[c]
}

// question is a command as it meets the barrier. Attempts don't matter to it.
type question struct {
	rows                       uint16
	done, undone, void         uint8
	step, verb, edition, taken uint8 // taken: bit 0 the execute's row is locked by an open transaction, bit 1 the compensate's
	choice                     choice
	opened                     bool // outside effects only: it was claimed before, and the provider is called now
}

// answered is what came of it.
type answered struct {
	rows               uint16
	done, undone, void uint8
	invoked            bool // the handler ran, so that it had a choice
	silent             bool // no reply
	outcome            uint8
	code, value        uint8
	wrong              string // what must never happen at a participant; empty: nothing did
}

// actors are the participants: the SDK, with its barrier in memory.
type actors struct {
	world   *World
	codec   *codec
	known   map[question]answered
	rows    []map[participants.RowKey]participants.Row
	numbers map[string]uint16
}

func newActors(w *World, c *codec) *actors {
	a := &actors{world: w, codec: c, known: map[question]answered{}, numbers: map[string]uint16{}}
	a.number(nil)
	return a
}

// number is the number of a step's rows. Texts for people are no part of them.
func (a *actors) number(rows map[participants.RowKey]participants.Row) uint16 {
	text := ""
	for _, verb := range []wire.Verb{wire.Execute, wire.Compensate} {
		for key, row := range rows {
			if key.Verb == verb {
				row.Message = ""
				text += fmt.Sprint(verb, key.Step, row.CommandID, row.Edition, row.State, row.Code, string(row.Output), ";")
			}
		}
	}
	n, ok := a.numbers[text]
	if !ok {
		n = uint16(len(a.rows))
		a.rows = append(a.rows, rows)
		a.numbers[text] = n
	}
	return n
}

// ask hands a command to its participant.
func (a *actors) ask(q question) answered {
	r, ok := a.known[q]
	if !ok {
		r = a.run(q)
		a.known[q] = r
	}
	return r
}

func (a *actors) run(q question) answered {
	out := answered{done: q.done, undone: q.undone, void: q.void}
	memory := &participants.Memory{NoWait: true}
	if !a.world.forget {
		memory.Restore(a.rows[q.rows])
	}
	h := &handler{q: q, claimed: func() {}, step: a.codec.def.Steps[q.step].Name, out: &out}
	if q.opened { // it claimed when there was no row; what others did since then it meets when it settles
		memory.Restore(nil)
		h.claimed = func() { memory.Restore(a.rows[q.rows]) }
	}
	p := participants.New("svc", memory, participants.Config{Bare: true, Now: now, NewID: func() wire.ID { return wire.ID{1} }})
	if a.world.External == "" {
		p.Handle("Do.v1", h.execute, nil)
		p.Handle("Undo.v1", nil, h.compensate)
	} else {
		do := participants.External{Execute: h.call}
		undo := participants.External{Compensate: h.callBack}
		if a.world.External == "ask" {
			undo.Ask, do.Ask = h.tell, h.tell
		}
		p.HandleExternal("Do.v1", do)
		p.HandleExternal("Undo.v1", undo)
		p.HandleExternal("Probe.v1", participants.External{Ask: h.tell})
	}
	c := a.command(q)
	if q.taken != 0 {
		tx := a.take(memory, q)
		defer tx.Rollback(context.Background())
	}
	reply, err := p.Answer(context.Background(), c, nil)
	out.rows = a.number(memory.Snapshot())
	if err != nil {
		out.silent = true
		if !errors.Is(err, participants.ErrNoReply) {
			out.wrong = err.Error()
		}
		return out
	}
	out.outcome = index(a.codec.outcomes, saga.ReplyOutcome(reply.Outcome))
	out.code, out.value = a.codec.codes.number(reply.Code), a.codec.values.number(string(reply.Value))
	return out
}

// take opens another's transaction over the rows.
func (a *actors) take(memory *participants.Memory, q question) participants.BarrierTx {
	tx, err := memory.Begin(context.Background(), 0)
	if err != nil {
		panic(err)
	}
	for bit, verb := range []wire.Verb{wire.Execute, wire.Compensate} {
		if q.taken&(1<<bit) == 0 {
			continue
		}
		key := participants.RowKey{SagaID: wire.ID(sagaID()), Step: a.codec.def.Steps[q.step].Name, Verb: verb}
		if _, _, err := tx.Insert(context.Background(), key, participants.Row{State: participants.Claimed}); err != nil {
			panic(err)
		}
	}
	return tx
}

func (a *actors) command(q question) *wire.Command {
	step := &a.codec.def.Steps[q.step]
	verb := wire.Verb(verbOf(q.verb))
	id := wire.ID(sagaID())
	return &wire.Command{
		ID: wire.CommandID(id, step.Name, verb, int(q.edition)), Source: "/skald/small", Participant: "svc",
		Name: []string{"Do.v1", "Undo.v1", "Probe.v1"}[q.verb], SagaID: id, SagaType: "small", SagaVersion: 1, Step: step.Name,
		Verb: verb, Tenant: "default", Attempt: 1, Edition: int(q.edition), ReplyTo: "skald.replies", Time: now(), Expiry: farOff(),
		Value: []byte(input),
	}
}

// handler is what a team would write, with the choice taken from it.
type handler struct {
	q    question
	step string
	out  *answered

	claimed func() // called once the command is claimed, before the provider is
}

func (h *handler) choose() (participants.Result, error) {
	h.out.invoked = true
	switch h.q.choice {
	case rejects:
		return participants.Reject("no", "")
	case fails:
		return participants.Fail("broke", "")
	case succeedsBad:
		return participants.Succeed(json.RawMessage(badOutput))
	case succeeds, dies:
	}
	return participants.Succeed(json.RawMessage(goodOutput))
}

func (h *handler) execute(_ context.Context, req *participants.Request) (participants.Result, error) {
	req.Tx.(*participants.MemoryEffects).OnCommit(func() {
		if h.out.done&(1<<h.q.edition) != 0 {
			h.out.wrong = "it took effect twice under one command id"
		}
		h.out.done |= 1 << h.q.edition
	})
	return h.choose()
}

func (h *handler) compensate(_ context.Context, req *participants.Request) (participants.Result, error) {
	req.Tx.(*participants.MemoryEffects).OnCommit(func() {
		if h.out.undone&(1<<h.q.edition) != 0 {
			h.out.wrong = "it was undone twice under one command id"
		}
		h.out.undone |= 1 << h.q.edition
	})
	r, err := h.choose()
	r.Output = nil
	return r, err
}

// call is the provider's door: the same key twice is one effect, and a key that was declared void does nothing.
func (h *handler) call(context.Context, *participants.Request) (participants.Result, error) {
	bit := uint8(1) << h.q.edition
	h.claimed()
	switch {
	case h.q.choice == claims:
		h.out.invoked = true
		return participants.Result{}, participants.ErrNoReply
	case h.out.done&bit != 0:
		return participants.Succeed(json.RawMessage(goodOutput))
	case h.out.void&bit != 0:
		return participants.Reject("void", "")
	}
	r, err := h.choose()
	if r.Outcome == wire.Succeeded {
		h.out.done |= bit
	}
	if r.Outcome == wire.Rejected {
		h.out.void |= bit
	}
	if h.q.choice == dies {
		return r, participants.ErrNoReply
	}
	return r, err
}

func (h *handler) callBack(context.Context, *participants.Request) (participants.Result, error) {
	bit := uint8(1) << h.q.edition
	if h.out.undone&bit == 0 {
		r, err := h.choose()
		if r.Outcome != wire.Succeeded {
			return r, err
		}
		h.out.undone |= bit
		if h.q.choice == dies {
			return r, participants.ErrNoReply
		}
	}
	return participants.Succeed(nil)
}

// tell says what became of an execute, and that nothing more will where there was nothing.
func (h *handler) tell(_ context.Context, req *participants.Request) (participants.Result, error) {
	bit := h.bitOf(req.Executed.CommandID)
	if h.out.done&bit != 0 {
		return participants.Succeed(json.RawMessage(goodOutput))
	}
	h.out.void |= bit
	return participants.Reject("void", "")
}

func (h *handler) bitOf(id wire.ID) uint8 {
	for edition := range maxEditions {
		if wire.CommandID(wire.ID(sagaID()), h.step, wire.Execute, edition) == id {
			return 1 << edition
		}
	}
	panic("asked about an execute that nobody sent")
}
