package explore

import (
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// instance is one instance of the saga as states share it, with what moves and checks ask of it.
type instance struct {
	written   string // by codec.encode
	status    saga.Status
	terminal  bool
	asks      bool // for a person: suspended with attention
	paused    bool
	aborting  bool
	deadline  bool // may still pass
	oldHold   bool // attention `held` is raised
	steps     [maxSteps]stepView
	outcome   string // of a terminal one: status, verdict, effects
	questions bool   // what-ifs were asked
}

// stepView is what moves and checks ask of a step.
type stepView struct {
	status     saga.StepStatus
	effect     saga.Effect
	byOperator bool
	disputed   bool
	created    [2]bool
	edition    [2]uint8
	attempt    [2]uint8
	timer      bool // something of it expires or is sent again
	conflict   bool // attention: its participant contradicted itself, or an operator
	barrier    bool // attention: its barrier undid nothing where it had done something
}

// instance numbers an instance by what a state keeps of it.
func (x *explorer) instance(in *saga.Instance) uint32 {
	x.buffer = x.codec.encode(x.buffer[:0], in)
	if n, ok := x.numbers[string(x.buffer)]; ok {
		return n
	}
	written := string(x.buffer)
	back := x.codec.decode([]byte(written))
	if again := string(x.codec.encode(nil, &back)); again != written {
		x.violated(fmt.Sprintf("an instance is not read as it was written: %q and %q", written, again))
	}
	n := uint32(len(x.instances))
	x.numbers[written] = n
	x.instances = append(x.instances, x.view(written, &back))
	return n
}

func (x *explorer) view(written string, in *saga.Instance) instance {
	v := instance{
		written: written, status: in.Status, terminal: in.Status.Terminal(), paused: in.Pause != nil, aborting: in.Aborting,
		deadline: !in.Deadline.IsZero() && !in.DeadlinePassed, oldHold: in.HasAttention(saga.AttentionHeld, ""),
		asks: in.Status == saga.Suspended && len(in.Attention) > 0,
	}
	for i := range in.Steps {
		s := &in.Steps[i]
		v.steps[i] = stepView{
			status: s.Status, effect: s.Effect, byOperator: s.ByOperator, disputed: s.Disputed,
			created:  [2]bool{s.Forward.Created, s.Backward.Created},
			edition:  [2]uint8{uint8(s.Forward.Edition), uint8(s.Backward.Edition)},
			attempt:  [2]uint8{uint8(s.Forward.Attempt), uint8(s.Backward.Attempt)},
			conflict: in.HasAttention(saga.AttentionConflict, x.codec.def.Steps[i].Name),
			barrier:  in.HasAttention(saga.AttentionBarrier, x.codec.def.Steps[i].Name),
			timer:    s.Status == saga.InFlight || s.Status == saga.BackingOff || s.Status == saga.Undoing || s.Status == saga.UndoBackingOff,
		}
	}
	if v.terminal {
		v.outcome = outcomeOf(in)
	}
	return v
}

func outcomeOf(in *saga.Instance) string {
	text := fmt.Sprintf("%s %s", in.Status, in.Certificate.Verdict)
	if in.Certificate.Amended {
		text += " amended"
	}
	for _, e := range in.Certificate.Effects {
		text += fmt.Sprintf(" %s=%s", e.Step, e.Effect)
		if e.ByOperator {
			text += "(by operator)"
		}
		if e.Disputed {
			text += "(disputed)"
		}
	}
	return text
}

// unpublished are the open legs whose newest attempt is still in the outbox.
func (x *explorer) unpublished(s *state) (mask uint8) {
	in := &x.instances[s.instance]
	for i := range s.n {
		m := &s.messages[i]
		if m.outcome == 0 && (m.place == inOutbox || m.place == refused || m.place == refusedMaybe) {
			v, leg := &in.steps[m.step], m.leg()
			if v.edition[leg] == m.edition && v.attempt[leg] == m.attempt {
				mask |= 1 << (2*m.step + leg)
			}
		}
	}
	return mask
}
