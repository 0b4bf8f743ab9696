package saga

import "time"

// Certify computes the certificate of an ended saga anew (design rule 14); nil: it has not ended. Amended is left out: whether
// a certificate was amended is known to the history alone.
func Certify(def *Definition, in Instance) *Certificate {
	var how FactType
	switch in.Status {
	case Completed:
		how = SagaCompleted
	case Compensated:
		how = SagaCompensated
	case Abandoned:
		how = SagaAbandoned
	case Running, Compensating, Suspended:
		return nil
	}
	m := &machine{def: def, next: in}
	return m.certificate(how)
}

// Invariants says which invariant of an instance is broken; empty: none.
func Invariants(def *Definition, in Instance) string { return in.check(def) }

// SettledBackwards reports whether nothing of step i is left to be undone before its predecessors are (design rule 6).
func SettledBackwards(def *Definition, in Instance, i int) bool { return in.settledBackwards(def, i) }

// WakeAt is when the instance must be looked at again, as Decide would say; zero exactly when it has ended (L2). env is that of
// now: At, Holds, Sent.
func WakeAt(def *Definition, in Instance, env Env) time.Time {
	return newMachine(def, in, Event{Env: env}).wakeAt()
}
