package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

const (
	testTopic      = "tester.commands"
	testReplies    = "conformance.replies"
	testHeld       = "conformance.held"
	testPartitions = 12
)

// wrong is what a participant does otherwise than the protocol says. The zero value does nothing so.
type wrong struct {
	name  string
	fails []string // the checks that must notice it, and no others

	reply     func(c *wire.Command, r *wire.Record)              // changes each reply
	answer    func(w *world, c *wire.Command) (wire.Reply, bool) // answers in the right one's place; false: it does not
	read      func(r wire.Record) (wire.Command, error)          // reads records in the right one's way; nil: as it does
	order     func(records []wire.Record) []wire.Record          // in which it handles what comes at once
	duringRun func(w *world, c *wire.Command)                    // before a command is handled
	hasty     bool                                               // commits offsets before replies
	forgetful bool                                               // keeps its barrier in memory
	silent    func(w *world, c *wire.Command) bool               // whether a reply is not sent
}

// world is a participant, its topic and the replies, all in memory and on one goroutine: a Send returns when everything was handled.
type world struct {
	wrong
	t           testing.TB
	barrier     *participants.Memory
	participant *participants.Participant
	runs        int           // of handlers; part of each output, so that an effect that is taken again shows
	log         []wire.Record // that came
	uncommitted []wire.Record // whose reply is held back
	replies     []wire.Record
	held        bool
	dead        bool
	refusesLate bool // opted in
}

var (
	_ Link    = (*world)(nil)
	_ Crasher = (*world)(nil)
)

func newWorld(t testing.TB, w wrong) *world {
	world := &world{wrong: w, t: t, barrier: &participants.Memory{NoWait: true}}
	world.participant = world.serve(world.barrier)
	return world
}

// serve is a right participant on a barrier.
func (w *world) serve(barrier participants.Barrier) *participants.Participant {
	p := participants.New("tester", barrier, participants.Config{Bare: true})
	if w.refusesLate {
		p.Use(participants.RefuseExpired(nil))
	}
	p.Handle("Do.v1", w.do, nil)
	p.Handle("Undo.v1", nil, w.undo)
	return p
}

func (w *world) do(_ context.Context, req *participants.Request) (participants.Result, error) {
	var payload struct{ Do string }
	if err := req.Decode(&payload); err != nil {
		return participants.Reject(wire.CodeInvalidPayload, err.Error())
	}
	switch {
	case payload.Do == "no":
		return participants.Reject("no", "not today")
	case payload.Do == "flaky" && req.Attempt == 1:
		return participants.FailAfter("flaky", "try later", time.Second)
	}
	w.runs++
	return participants.Succeed(map[string]int{"done": w.runs})
}

func (w *world) undo(context.Context, *participants.Request) (participants.Result, error) {
	w.runs++
	return participants.Succeed(map[string]int{"undone": w.runs})
}

func testPlan() *Plan {
	return &Plan{
		Participant: "tester", Command: "Do.v1", Payload: json.RawMessage(`{"do":"ok","saga":"${saga}"}`),
		Refused: json.RawMessage(`{"do":"no"}`), Flaky: json.RawMessage(`{"do":"flaky"}`), Undo: "Undo.v1",
	}
}

// play runs the kit against w.
func (w *world) play(plan *Plan) Report {
	w.t.Helper()
	report, err := Run(w.t.Context(), Config{Plan: plan, Link: w, Crasher: w, Patience: time.Minute, Quiet: time.Minute})
	require.NoError(w.t, err)
	return report
}

func (w *world) Commands() (string, int32) { return testTopic, testPartitions }
func (w *world) Replies() (string, int32)  { return testReplies, testPartitions }

func (w *world) Send(_ context.Context, records ...wire.Record) error {
	for _, r := range records {
		require.Equal(w.t, testTopic, r.Topic)
	}
	records = slices.Clone(records)
	w.log = append(w.log, records...)
	if w.order != nil {
		records = w.order(records)
	}
	for _, r := range records {
		w.handle(r)
	}
	return nil
}

var errDrained = errors.New("nothing comes before something is sent")

func (w *world) Receive(context.Context) (wire.Record, error) {
	if len(w.replies) == 0 {
		return wire.Record{}, errDrained
	}
	r := w.replies[0]
	w.replies = w.replies[1:]
	return r, nil
}

func (w *world) handle(r wire.Record) {
	if w.dead {
		return
	}
	read := wire.DecodeCommand
	if w.read != nil {
		read = w.read
	}
	c, err := read(r)
	if err != nil || c.Participant != "tester" && w.read == nil {
		return
	}
	if w.duringRun != nil {
		w.duringRun(w, &c)
	}
	reply, answered := wire.Reply{}, false
	if w.answer != nil {
		reply, answered = w.answer(w, &c)
	}
	if !answered {
		reply = w.right(w.participant, &c)
	}
	if w.silent != nil && w.silent(w, &c) {
		return
	}
	record := reply.Record(c.ReplyTo)
	record.Partition = -1
	if w.reply != nil {
		w.reply(&c, &record)
	}
	if record.Partition < 0 {
		record.Partition = wire.Partition(record.Key, testPartitions)
	}
	if record.Topic == "nowhere" {
		return
	}
	if w.held && record.Topic == testHeld {
		if !w.hasty {
			w.uncommitted = append(w.uncommitted, r)
		}
		return
	}
	w.replies = append(w.replies, record)
}

// right is what a right participant answers.
func (w *world) right(p *participants.Participant, c *wire.Command) wire.Reply {
	reply, err := p.Answer(w.t.Context(), c, nil)
	require.NoError(w.t, err)
	return reply
}

func (w *world) Hold(context.Context) (string, error) {
	w.held = true
	return testHeld, nil
}

func (w *world) Kill(context.Context) error {
	w.dead = true
	return nil
}

func (w *world) Release(context.Context, string) error {
	w.held = false
	return nil
}

func (w *world) Restart(context.Context) error {
	w.dead = false
	if w.forgetful {
		w.barrier.Restore(nil)
	}
	again := w.uncommitted
	w.uncommitted = nil
	for _, r := range again {
		w.handle(r)
	}
	return nil
}
