package sim

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// oracle checks what was promised: after every commit what can be seen there, and at the end the effects.
type oracle struct {
	w        *world
	folded   map[saga.ID]*saga.Instance
	replayed map[saga.ID]saga.Instance // what the facts so far fold to
	facts    map[saga.ID][]saga.Fact
	payloads map[string][]byte // by command id (S5)
	promised map[string]bool   // commands of committed transactions, by saga, step, verb, edition (S6)
}

func newOracle(w *world) *oracle {
	return &oracle{w: w, folded: map[saga.ID]*saga.Instance{}, replayed: map[saga.ID]saga.Instance{}, facts: map[saga.ID][]saga.Fact{}, payloads: map[string][]byte{}, promised: map[string]bool{}}
}

// committed looks at a transaction that has just been committed.
func (o *oracle) committed(b orchestrator.Batch) {
	for _, wr := range b.Writes {
		in := wr.Next
		def := o.w.people.defs[in.Saga]
		o.facts[in.ID] = append(o.facts[in.ID], wr.Facts...)
		folded, err := saga.FoldOn(def, o.replayed[in.ID], wr.Facts)
		if err != nil {
			o.w.violate("S4", "history is not dense: %v", err)
			return
		}
		o.replayed[in.ID] = folded
		if diff := saga.Equivalent(def, folded, in); diff != "" {
			o.w.violate("S4", "history does not fold to the stored state of %s:\n%s", in.ID, diff)
		}
		if wr.WakeAt.IsZero() != in.Status.Terminal() {
			o.w.violate("L2", "%s is %s and its wake time is %v", in.ID, in.Status, wr.WakeAt)
		}
		if old := o.folded[in.ID]; old != nil && old.Status.Terminal() && old.Status != in.Status {
			o.w.violate("S16", "%s was %s and is %s", in.ID, old.Status, in.Status)
		}
		if in.Broken != "" {
			o.w.violate("invariant", "an invariant of %s broke: %s", in.ID, in.Broken)
		}
		o.folded[in.ID] = &in
		o.order(def, in.ID, wr.Facts)
	}
	for _, r := range b.Outbox {
		if r.Kind == orchestrator.RecordCommand {
			o.promised[commandKey(r)] = true
		}
	}
}

// order checks the order of starts and compensations in a saga's new facts, by the facts alone (S10, S12, S15).
func (o *oracle) order(def *saga.Definition, id saga.ID, fresh []saga.Fact) {
	all := o.facts[id]
	for n := len(all) - len(fresh); n < len(all); n++ {
		f := all[n]
		before := all[:n]
		i := def.StepIndex(f.Step)
		switch f.Type {
		case saga.StepStarted:
			for _, p := range def.Steps[i].After {
				if !has(before, def.Steps[p].Name, saga.StepSucceeded, saga.StepSkipped) {
					o.w.violate("S10", "%s: %s started before %s was settled", id, f.Step, def.Steps[p].Name)
				}
			}
			if has(before, "", saga.AbortStarted) {
				o.w.violate("rule 6", "%s: %s started after the abort", id, f.Step)
			}
		case saga.UndoStarted:
			if pivot := def.PivotIndex(); pivot >= 0 && has(before, def.Steps[pivot].Name, saga.StepSucceeded, saga.StepSkipped) {
				o.w.violate("S15", "%s: %s is undone past the pivot", id, f.Step)
			}
			for _, d := range def.Descendants(i) {
				name := def.Steps[d].Name
				if has(before, name, saga.UndoStarted) && !has(before, name, saga.UndoSucceeded, saga.StepWaived) {
					o.w.violate("S12", "%s: %s is undone before %s", id, f.Step, name)
				}
			}
		}
	}
}

func has(facts []saga.Fact, step string, types ...saga.FactType) bool {
	return slices.ContainsFunc(facts, func(f saga.Fact) bool {
		return (step == "" || f.Step == step) && slices.Contains(types, f.Type)
	})
}

func commandKey(r orchestrator.Record) string {
	return fmt.Sprintf("%s %s %s %d", r.Saga, r.Step, r.Verb, r.Edition)
}

// sent looks at a command that reached Kafka.
func (o *oracle) sent(r orchestrator.Record) {
	key := commandKey(r)
	if !o.promised[key] {
		o.w.violate("S3", "%s was published and never committed", key)
	}
	if known, ok := o.payloads[key]; ok && !bytes.Equal(known, r.Value) {
		o.w.violate("S5", "%s was sent with two payloads", key)
	}
	o.payloads[key] = r.Value
}

// quiet reports whether nothing is left to happen.
func (o *oracle) quiet() bool {
	for _, in := range o.folded {
		if !in.Status.Terminal() && in.Status != saga.Suspended {
			return false
		}
	}
	depth, err := o.w.store.OutboxDepth(context.Background(), 1)
	return err == nil && depth == 0 && o.w.kafka.unread() == 0 && o.w.pending == 0
}

// judge looks at the end of the world.
func (o *oracle) judge() {
	for key, id := range o.w.people.acked {
		if o.folded[id] == nil {
			o.w.violate("S1", "%s was told of saga %s, which does not exist", key, id)
		}
	}
	o.w.kafka.oracle.judge()
	if len(o.folded) > len(o.w.people.acked) {
		o.w.violate("S2", "%d sagas for %d Idempotency-Keys", len(o.folded), len(o.w.people.acked))
	}
	for id, in := range o.folded {
		if guarantee, wrong := o.ended(in); wrong != "" {
			o.w.violate(guarantee, "%s %s (%s): %s\n%s", in.Saga, id, in.Status, wrong, o.story(id))
		}
		o.w.report.Outcomes[string(in.Status)]++
	}
}

// ended compares a saga's end with what truly happened: the guarantee that it breaks, and what is wrong; empty: nothing.
func (o *oracle) ended(in *saga.Instance) (guarantee, wrong string) {
	if !in.Status.Terminal() {
		if in.Status == saga.Suspended && len(in.Attention) > 0 {
			return "", ""
		}
		return "L1", "it has not ended and asks for nobody"
	}
	if in.HasAttention(saga.AttentionConflict, "") {
		return "S8", "honest participants contradict themselves"
	}
	def := o.w.people.defs[in.Saga]
	for i, e := range in.Certificate.Effects {
		truth := o.w.actors.of(wire.ID(in.ID), e.Step)
		if truth.done > 1 || truth.undone > truth.done {
			return "S11", fmt.Sprintf("%s took effect %d times and was undone %d times", e.Step, truth.done, truth.undone)
		}
		standing := truth.done > truth.undone
		switch {
		case def.Steps[i].EffectNone:
		case e.Effect == saga.EffectCertain && !standing:
			return "S11", fmt.Sprintf("%s is said to be certain and has no effect", e.Step)
		case (e.Effect == saga.EffectNone || e.Effect == saga.EffectUndone) && standing:
			return "S13", fmt.Sprintf("%s is said to be %s and stands", e.Step, e.Effect)
		}
	}
	return "", ""
}

// story is a saga's history for people.
func (o *oracle) story(id saga.ID) string {
	var b bytes.Buffer
	for _, f := range o.facts[id] {
		fmt.Fprintf(&b, "%3d %s %-18s %-6s %s %s\n", f.Seq, f.At.Format("15:04:05.000"), f.Type, f.Step, f.Outcome, f.Why)
	}
	return b.String()
}
