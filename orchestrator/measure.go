package orchestrator

import (
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Measured is what one transaction has to say about times and attempts. Its lists are short-lived: an Observer keeps none of them.
type Measured struct {
	// Attempts are those that were sent; past max_attempts one in a hundred (design rule 15).
	Attempts []StepMeasure
	// Answered are those that an answer ended, Took from the decision to send to the answer.
	Answered []StepMeasure
	// Ended are sagas that ended, Took from their start.
	Ended []SagaMeasure
}

// StepMeasure is an attempt of a command of a step.
type StepMeasure struct {
	Saga string // the definition
	Step string
	Verb saga.Verb
	Took time.Duration
}

// SagaMeasure is a saga that ended.
type SagaMeasure struct {
	Saga   string // the definition
	Status saga.Status
	Took   time.Duration
}

// measure reads one write.
func (m *Measured) measure(def *saga.Definition, w *Write) {
	for i := range w.Facts {
		f := &w.Facts[i]
		switch f.Type { //nolint:exhaustive // the others are neither sent, answered nor an end
		case saga.StepStarted, saga.StepSent, saga.UndoStarted, saga.UndoSent:
			m.Attempts = append(m.Attempts, StepMeasure{Saga: w.Next.Saga, Step: f.Step, Verb: f.Verb})
		case saga.StepSucceeded, saga.StepRejected, saga.StepBackedOff, saga.StepUnknown, saga.UndoSucceeded, saga.UndoRefused, saga.UndoBackedOff:
			m.answered(def, w, f)
		case saga.SagaCompleted, saga.SagaCompensated, saga.SagaAbandoned:
			m.Ended = append(m.Ended, SagaMeasure{Saga: w.Next.Saga, Status: w.Next.Status, Took: f.At.Sub(w.Next.CreatedAt)})
		}
	}
}

// answered measures the attempt that a fact's answer ended. A later answer to a step that has moved on, or whose next attempt is out
// already, has nothing left to be measured by.
func (m *Measured) answered(def *saga.Definition, w *Write, f *saga.Fact) {
	i := def.StepIndex(f.Step)
	if f.Reply == nil || i < 0 || i >= len(w.Next.Steps) {
		return
	}
	leg, verb := &w.Next.Steps[i].Forward, saga.Execute
	if f.Type == saga.UndoSucceeded || f.Type == saga.UndoRefused || f.Type == saga.UndoBackedOff {
		leg, verb = &w.Next.Steps[i].Backward, saga.Compensate
	}
	if took := f.At.Sub(leg.SentAt); !leg.SentAt.IsZero() && took > 0 {
		m.Answered = append(m.Answered, StepMeasure{Saga: w.Next.Saga, Step: f.Step, Verb: verb, Took: took})
	}
}
