package audit

import (
	"fmt"
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// command names what was asked of a participant; its attempts are sends of the same command.
type command struct {
	step    string
	verb    saga.Verb // Execute for probes too
	edition int
}

func (c command) String() string { return fmt.Sprintf("%s %s, edition %d", c.verb, c.step, c.edition) }

// place is where a send stands in the outbox.
type place struct {
	batch saga.BatchID
	index int
}

// commands checks that every command that was committed waits in the outbox, has its receipt, or is known to be refused (S6).
// Of several attempts one is enough: they are the same command.
func (c *sagaCheck) commands() {
	var order []command
	sends := map[command][]place{}
	refused := map[command]bool{}
	for i := range c.facts {
		f := &c.facts[i]
		cmd := commandOf(f.Step, f.Verb, f.Edition)
		switch f.Type { //nolint:exhaustive // of the facts, these alone are about commands
		case saga.StepStarted, saga.StepSent, saga.UndoStarted, saga.UndoSent:
			if sends[cmd] == nil {
				order = append(order, cmd)
			}
			sends[cmd] = append(sends[cmd], place{f.Batch, f.Index})
		case saga.PublishFailed, saga.ReplyIgnored:
			refused[cmd] = refused[cmd] || f.Code == "unpublishable"
		}
	}
	for _, leg := range c.in.Open() { // past max_attempts not every send is a fact (design rule 15)
		cmd := commandOf(c.def.Steps[leg.Step].Name, leg.Verb, c.leg(leg).Edition)
		sends[cmd] = append(sends[cmd], place{leg.Batch, leg.Index})
	}
	for _, cmd := range order {
		if !refused[cmd] && !slices.ContainsFunc(sends[cmd], c.known) {
			c.add(CommandLost, "the command to %s was committed; it is not in the outbox and has no receipt", cmd)
		}
	}
}

func commandOf(step string, verb saga.Verb, edition int) command {
	if verb == saga.Probe {
		verb = saga.Execute
	}
	return command{step, verb, edition}
}

func (c *sagaCheck) leg(open saga.OpenLeg) *saga.Leg {
	if open.Verb == saga.Compensate {
		return &c.in.Steps[open.Step].Backward
	}
	return &c.in.Steps[open.Step].Forward
}

// receipt is what a batch's receipt says.
type receipt struct {
	acked map[int]orchestrator.Acked
	err   error
}

// receipt decodes the receipt of a batch once: its sagas are mostly in one slice.
func (s *Slice) receipt(id saga.BatchID) receipt {
	r, ok := s.receipts[id]
	if !ok {
		r.acked, r.err = stored.DecodeAcks(s.Batches[id].Acks)
		if s.receipts == nil {
			s.receipts = map[saga.BatchID]receipt{}
		}
		s.receipts[id] = r
	}
	return r
}

// known reports whether a send waits or was acknowledged, or is too old to tell.
func (c *sagaCheck) known(p place) bool {
	if saga.ID(p.batch).Time().Before(c.slice.ReceiptsSince) {
		return true
	}
	b := c.slice.Batches[p.batch]
	waiting := slices.Contains(b.Waiting, int32(p.index))
	r := c.slice.receipt(p.batch)
	if r.err != nil {
		c.once(ReceiptUnreadable, p.batch, "the receipt of batch %s cannot be read: %v", p.batch, r.err)
		return true
	}
	_, acked := r.acked[p.index]
	if waiting && acked {
		c.once(ReceiptDoubtful, p.batch, "record %d of batch %s has a receipt, and waits in the outbox", p.index, p.batch)
	}
	return waiting || acked
}

// once adds a finding about a batch, once each.
func (c *sagaCheck) once(kind Kind, batch saga.BatchID, format string, args ...any) {
	target := "batch " + batch.String()
	if !slices.ContainsFunc(c.found, func(f finding) bool { return f.kind == kind && f.target == target }) {
		c.found = append(c.found, finding{kind, target, fmt.Sprintf(format, args...)})
	}
}

// sent is what is known of the open commands, as Decide is told.
func (c *sagaCheck) sent() []saga.Sent {
	published := map[saga.BatchID]stored.Published{}
	for _, id := range stored.OpenBatches(&c.in) {
		published[id] = stored.Published{Left: c.slice.Batches[id].Waiting, Acked: c.slice.receipt(id).acked}
	}
	return stored.Sent(&c.in, published)
}
