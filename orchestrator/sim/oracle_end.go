package sim

import (
	"bytes"
	"context"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// judge looks at the end of the world.
func (o *oracle) judge() {
	w := o.w
	for _, r := range w.people.requests {
		switch {
		case !r.answered:
			w.violate("S2", "a client of %s never gets an answer under Idempotency-Key %s", r.Tenant, r.IdempotencyKey)
		case !r.id.IsZero() && o.tracks[r.id] == nil:
			w.violate("S1", "%s was told of saga %s, which does not exist", r.IdempotencyKey, r.id)
		}
	}
	w.kafka.oracle.judge()
	w.outside.judge()
	o.handled()
	o.operated()
	o.inspected()
	for _, t := range o.ordered {
		o.stored(t)
		o.cancelled(t)
		if guarantee, wrong := o.ended(t); wrong != "" {
			w.violate(guarantee, "%s %s (%s): %s\n%s", t.def.Name, t.id, t.in.Status, wrong, o.tell(t, nil))
		}
		w.report.Outcomes[string(t.in.Status)]++
	}
}

// stored compares the whole history with what can be read (S4).
func (o *oracle) stored(t *track) {
	view, err := o.w.store.Saga(context.Background(), t.tenant, t.id)
	if err != nil {
		o.w.violate("S3", "%s cannot be read: %v", t.id, err)
		return
	}
	folded, err := saga.Fold(t.def, t.facts)
	if err != nil {
		o.w.violate("S4", "the history of %s: %v", t.id, err)
		return
	}
	if diff := saga.Equivalent(t.def, folded, view.Instance); diff != "" {
		o.w.violate("S4", "the history of %s does not fold to what can be read:\n%s", t.id, diff)
	}
}

// ended compares a saga's end with what truly happened: the guarantee that it breaks, and what is wrong; empty: nothing.
func (o *oracle) ended(t *track) (guarantee, wrong string) {
	in := &t.in
	if wrong := o.attention(t); wrong != "" {
		return "rule 11", wrong
	}
	if !in.Status.Terminal() {
		switch {
		case o.lied[t.id] && in.HasAttention(saga.AttentionExhausted, ""):
			// A lie can put a higher edition beside a claim that nobody settles any more: a person is asked, and the saga goes on asking.
		case in.Status != saga.Suspended:
			return "L1", "it has not ended and asks for nobody"
		case o.w.people.resolves:
			return "L1", "a person looks after it, and it has not ended"
		}
		return "", ""
	}
	if wrong := verdict(t); wrong != "" {
		return "rule 14", wrong
	}
	for i := range in.Steps {
		s := &in.Steps[i]
		name := t.def.Steps[i].Name
		truth := o.w.actors.of(wire.ID(t.id), name)
		if truth.done > 1 || truth.undone > truth.done {
			return "S13", fmt.Sprintf("%s took effect %d times and was undone %d times", name, truth.done, truth.undone)
		}
		if o.lied[t.id] {
			continue
		}
		if t.steps[i].undoing { // abandoned before its compensation was answered
			continue
		}
		standing := truth.done > truth.undone
		switch s.Effect {
		case saga.EffectCertain:
			if !standing && !s.ByOperator {
				return "S11", name + " is said to be certain and has no effect"
			}
		case saga.EffectNone, saga.EffectUndone:
			if standing && !s.ByOperator {
				return "S13", fmt.Sprintf("%s is said to be %s and stands", name, s.Effect)
			}
		case saga.EffectUndoFailed:
			if truth.undone > 0 {
				return "S11", name + " is said to have failed to be undone, and was undone"
			}
		case saga.EffectPossible, saga.EffectWaived:
		}
	}
	return "", ""
}

// verdict checks the certificate against the steps (design rule 14).
func verdict(t *track) string {
	in := &t.in
	c := in.Certificate
	want, residue := saga.Committed, 0
	for i := range in.Steps {
		s := &in.Steps[i]
		if e := c.Effects[i]; e.Step != t.def.Steps[i].Name || e.Effect != s.Effect || e.ByOperator != s.ByOperator || e.Disputed != s.Disputed {
			return fmt.Sprintf("the certificate says %+v of a step whose effect is %s", e, s.Effect)
		}
		left := s.Effect != saga.EffectNone && s.Effect != saga.EffectUndone
		if in.Status == saga.Completed {
			left = left && s.Status == saga.Skipped
		}
		if left {
			residue++
		}
	}
	if in.Status != saga.Completed {
		if want = saga.CleanlyAborted; residue > 0 {
			want = saga.Residue
		}
	}
	if c.Verdict != want || len(c.Residue) != residue {
		return fmt.Sprintf("the verdict is %s with a residue of %d where %s with %d is right", c.Verdict, len(c.Residue), want, residue)
	}
	return ""
}

// attention says whether people are told of exactly what is so.
func (o *oracle) attention(t *track) string {
	in := &t.in
	if !in.Status.Terminal() {
		person := in.Broken != ""
		for i := range in.Steps {
			s := &in.Steps[i]
			name := t.def.Steps[i].Name
			switch {
			case s.Status == saga.Stuck && !in.HasAttention(s.Why, name), s.Status == saga.UndoFailed && !in.HasAttention(saga.AttentionUndoFailed, name):
				return fmt.Sprintf("%s is %s and nobody is told", name, s.Status)
			}
			person = person || s.Status == saga.Stuck || s.Status == saga.UndoFailed
		}
		if in.Status == saga.Suspended && !person {
			return "it is suspended and nothing needs a person"
		}
	}
	for _, a := range in.Attention {
		if in.Broken == "" && !o.explained(t, a) { // what a broken one was told stays: it is judged no more
			return fmt.Sprintf("attention %s (%s) without a reason", a.Reason, a.Step)
		}
	}
	return ""
}

// explained reports whether there is something that a person should look at.
func (o *oracle) explained(t *track, a saga.Attention) bool {
	in := &t.in
	s := &saga.StepState{}
	track := &stepTrack{}
	if i := t.def.StepIndex(a.Step); i >= 0 {
		s, track = &in.Steps[i], &t.steps[i]
	}
	live, lied := !in.Status.Terminal(), o.lied[t.id]
	switch a.Reason {
	case saga.AttentionBadOutput, saga.AttentionRejected:
		return live && s.Status == saga.Stuck && s.Why == a.Reason
	case saga.AttentionExpression:
		return a.Step == "" && in.Status == saga.Completed || live && (s.Status == saga.Stuck || s.Status == saga.UndoFailed)
	case saga.AttentionUnpublishable:
		return live && (s.Status == saga.Stuck || s.Status == saga.UndoFailed)
	case saga.AttentionUndoFailed:
		return live && s.Status == saga.UndoFailed
	case saga.AttentionLateEffect:
		return s.Effect == saga.EffectCertain || track.late || lied
	case saga.AttentionConflict:
		return lied || s.Disputed
	case saga.AttentionBarrier:
		return lied
	case saga.AttentionDeadline:
		return live && in.DeadlinePassed
	case saga.AttentionExhausted, saga.AttentionSlow, saga.AttentionHeld:
		return live && (track.open || track.undoing)
	case saga.AttentionInvariant:
		return in.Broken != ""
	case saga.AttentionHistory:
	}
	return false
}

// story is a saga's history for people.
func (o *oracle) story(id saga.ID) string {
	if t := o.tracks[id]; t != nil {
		return o.tell(t, nil)
	}
	return ""
}

// tell is the same, with facts that are not stored yet.
func (o *oracle) tell(t *track, fresh []saga.Fact) string {
	var b bytes.Buffer
	for _, facts := range [][]saga.Fact{t.facts, fresh} {
		for _, f := range facts {
			fmt.Fprintf(&b, "%3d %s %-18s %-6s %-10s e%d a%d %-9s %-9s %s %s\n", f.Seq, f.At.Format("15:04:05.000000"), f.Type, f.Step, f.Verb, f.Edition, f.Attempt, f.Outcome, f.Effect, f.Code, f.Why)
		}
	}
	for i, s := range t.in.Steps {
		e := o.w.actors.of(wire.ID(t.id), t.def.Steps[i].Name)
		fmt.Fprintf(&b, "    %-6s %-16s %-11s truly done %d, undone %d\n", t.def.Steps[i].Name, s.Status, s.Effect, e.done, e.undone)
	}
	for _, a := range t.in.Attention {
		fmt.Fprintf(&b, "    attention %s %s\n", a.Reason, a.Step)
	}
	if o.lied[t.id] {
		b.WriteString("    it was lied to\n")
	}
	return b.String()
}
