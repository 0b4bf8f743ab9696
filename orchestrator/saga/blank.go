package saga

import "time"

// Blank is an ended saga without its payloads: input, outputs, and what its commands carried. Statuses, effects, certificate, keys,
// labels and messages stay. It is no transition: no fact tells of it, and BlankedAt is no part of what the facts fold to. Its facts
// lose theirs in the same transaction (BlankFact), so that they fold to it (S4). A saga that is live or blanked already is as it was.
func Blank(in Instance, at time.Time) Instance {
	if !in.Status.Terminal() || !in.BlankedAt.IsZero() {
		return in
	}
	in = in.clone()
	in.Revision++
	in.BlankedAt = at
	in.Input, in.Output = nil, nil
	for i := range in.Steps {
		s := &in.Steps[i]
		s.Output, s.Forward.Payload, s.Backward.Payload = nil, nil, nil
	}
	return in
}

// BlankFact is a fact without its payloads.
func BlankFact(f Fact) Fact {
	f.Payload, f.Output = nil, nil
	if f.Start != nil {
		start := *f.Start
		start.Input = nil
		f.Start = &start
	}
	return f
}

// Payloads reports whether a saga keeps any payload.
func (in *Instance) Payloads() bool {
	if len(in.Input) > 0 || len(in.Output) > 0 {
		return true
	}
	for i := range in.Steps {
		if s := &in.Steps[i]; len(s.Output) > 0 || len(s.Forward.Payload) > 0 || len(s.Backward.Payload) > 0 {
			return true
		}
	}
	return false
}

// Payloads reports whether a fact keeps any payload.
func (f *Fact) Payloads() bool {
	return len(f.Payload) > 0 || len(f.Output) > 0 || f.Start != nil && len(f.Start.Input) > 0
}
