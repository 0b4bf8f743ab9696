package saga

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// Equivalent reports whether a folded history and a stored instance say the same (S4): all but what no fact tells of, which
// are heartbeats, the counters and timers of attempts past max_attempts, ClockAt, BlankedAt and Revision. The answer is empty, or names
// the first difference.
func Equivalent(def *Definition, folded, stored Instance) string {
	a, b := told(def, folded, stored), told(def, stored, stored)
	x, errX := EncodeInstance(a)
	y, errY := EncodeInstance(b)
	if errX == nil && errY == nil && bytes.Equal(x, y) {
		return ""
	}
	return "folded " + readable(a) + "\nstored " + readable(b)
}

func readable(in Instance) string {
	out, err := json.Marshal(in)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// told blanks in `in` what facts do not tell about `stored`. It shares with `in` what it leaves as it is.
func told(def *Definition, in, stored Instance) Instance {
	in.Revision, in.ClockAt, in.BlankedAt = 0, time.Time{}, time.Time{}
	cloned := false
	for i := range min(len(in.Steps), len(def.Steps), len(stored.Steps)) {
		s, c := &in.Steps[i], def.Steps[i].Compensation
		forward := stored.Steps[i].Forward.Attempts > def.Steps[i].Retry.MaxAttempts
		backward := c != nil && stored.Steps[i].Backward.Attempts > c.Retry.MaxAttempts
		if !forward && !backward && s.Forward.Heartbeat.IsZero() && s.Backward.Heartbeat.IsZero() {
			continue
		}
		if !cloned {
			in.Steps, cloned = slices.Clone(in.Steps), true
			s = &in.Steps[i]
		}
		s.Forward.Heartbeat, s.Backward.Heartbeat = time.Time{}, time.Time{}
		if forward {
			s.Forward.uncounted()
			if s.Status == BackingOff {
				s.Status = InFlight
			}
			s.Error = nil
		}
		if backward {
			s.Backward.uncounted()
			if s.Status == UndoBackingOff {
				s.Status = Undoing
			}
			s.Error = nil
		}
	}
	return in
}

func (l *Leg) uncounted() {
	l.stop()
	l.Attempt, l.Sends, l.Attempts, l.Refused, l.Index, l.Batch, l.SentAt, l.Probing = 0, 0, 0, 0, 0, BatchID{}, time.Time{}, false
}
