package sim

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// story is a history that the oracle is told, of plan `line`: one, two, gate (pivot), ship (retriable).
type story struct {
	o   *oracle
	t   *track
	now time.Time
}

func newStory(t *testing.T) *story {
	t.Helper()
	w := newWorld(Options{Seed: 1, Calm: true, Log: slog.New(slog.DiscardHandler)})
	w.tell(time.Hour.Nanoseconds())
	def := pool.fixed[0][0]().def
	s := &story{o: w.oracle, t: &track{plan: pool.fixed[0][0](), def: def, steps: make([]stepTrack, len(def.Steps)), tenant: "default"}, now: w.now}
	s.t.id[0], s.t.in.ID = 1, s.t.id
	s.tell(saga.Fact{Type: saga.SagaStarted, Start: &saga.Start{Deadline: s.now.Add(time.Minute)}})
	return s
}

func (s *story) tell(facts ...saga.Fact) {
	for _, f := range facts {
		if f.At.IsZero() {
			f.At = s.now
		}
		s.o.fact(s.t, &f)
	}
}

// reply is a fact that an answer led to, and the answer with it.
func (s *story) reply(f saga.Fact, id string) saga.Fact {
	f.EventID, f.Reply = id, &saga.Coordinates{}
	s.o.w.actors.said[id] = &said{wire.ID(s.t.id), f.Step, wire.Verb(f.Verb), f.Edition, wire.Outcome(f.Outcome), true}
	return f
}

func started(step string) saga.Fact {
	return saga.Fact{Type: saga.StepStarted, Step: step, Verb: saga.Execute, Effect: saga.EffectPossible}
}

func succeeded(step string) saga.Fact {
	return saga.Fact{Type: saga.StepSucceeded, Step: step, Verb: saga.Execute, Outcome: saga.ReplySucceeded, Effect: saga.EffectCertain}
}

func undo(step string) saga.Fact {
	return saga.Fact{Type: saga.UndoStarted, Step: step, Verb: saga.Compensate}
}

// TestOracle_Bites: each promise that is read off facts is found broken where it is.
func TestOracle_Bites(t *testing.T) {
	t.Parallel()
	abort := saga.Fact{Type: saga.AbortStarted, Abort: &saga.Abort{}}
	for name, c := range map[string]struct {
		want string
		tell func(s *story)
	}{
		"Nothing": {"", func(s *story) {
			s.tell(started("one"), succeeded("one"), started("two"), succeeded("two"), abort, undo("two"),
				saga.Fact{Type: saga.UndoSucceeded, Step: "two", Effect: saga.EffectUndone}, undo("one"))
		}},
		"StartsTooSoon": {"S10", func(s *story) { s.tell(started("two")) }},
		"CompletesTooSoon": {"S10", func(s *story) {
			s.tell(started("one"), succeeded("one"), saga.Fact{Type: saga.SagaCompleted})
		}},
		"StartsInAnAbort": {"rule 6", func(s *story) { s.tell(abort, started("one")) }},
		"UndoneWithoutAnAbort": {"S11", func(s *story) {
			s.tell(started("one"), succeeded("one"), undo("one"))
		}},
		"UndoneWithoutAnEffect": {"S11", func(s *story) { s.tell(abort, undo("one")) }},
		"LeftBehind": {"S11", func(s *story) {
			s.tell(started("one"), succeeded("one"), abort, saga.Fact{Type: saga.SagaCompensated})
		}},
		"FirstFirst": {"S12", func(s *story) {
			s.tell(started("one"), succeeded("one"), started("two"), succeeded("two"), abort, undo("one"))
		}},
		"TurnsRound": {"S14", func(s *story) {
			s.tell(started("one"), saga.Fact{Type: saga.StepUnknown, Step: "one"}, abort, undo("one"), succeeded("one"))
		}},
		"UndonePastThePivot": {"S15", func(s *story) {
			s.tell(started("one"), succeeded("one"), started("two"), succeeded("two"), started("gate"), succeeded("gate"), abort)
		}},
		"MovesAfterTheEnd": {"S16", func(s *story) {
			s.tell(saga.Fact{Type: saga.SagaAbandoned}, started("one"))
		}},
		"AnswerOfNobody": {"S9", func(s *story) {
			f := succeeded("one")
			f.EventID, f.Reply = "nobody's", &saga.Coordinates{}
			s.tell(started("one"), f)
		}},
		"AnswerToAnotherStep": {"S9", func(s *story) {
			f := s.reply(succeeded("two"), "r")
			f.Step = "one"
			s.tell(started("one"), f)
		}},
		"AnsweredTwice": {"S8", func(s *story) {
			f := s.reply(succeeded("one"), "r")
			s.tell(started("one"), f, f)
		}},
		"SettledTwice": {"S8", func(s *story) {
			s.tell(started("one"), s.reply(succeeded("one"), "r"), s.reply(saga.Fact{Type: saga.StepRejected, Step: "one", Verb: saga.Execute, Outcome: saga.ReplyRejected}, "q"))
		}},
		"HonestConflict": {"S8", func(s *story) {
			s.tell(started("one"), saga.Fact{Type: saga.ReplyConflict, Step: "one"})
		}},
		"EditionLeftOut": {"S5", func(s *story) {
			f := started("one")
			f.Edition = 1
			s.tell(f)
		}},
		"TimedOutEarly": {"S21", func(s *story) {
			f := started("one")
			f.ExpiresAt = s.now.Add(time.Second)
			s.tell(f, saga.Fact{Type: saga.StepSent, Step: "one", Verb: saga.Execute})
		}},
		"BackedOffTooShort": {"S21", func(s *story) {
			s.tell(started("one"), saga.Fact{Type: saga.StepBackedOff, Step: "one", RetryAt: s.now.Add(time.Second)}, saga.Fact{Type: saga.StepSent, Step: "one", Verb: saga.Execute})
		}},
		"DeadlineEarly": {"S21", func(s *story) { s.tell(saga.Fact{Type: saga.DeadlinePassed}) }},
		"FromTheFuture": {"S21", func(s *story) { s.tell(saga.Fact{Type: saga.SagaPaused, At: s.now.Add(time.Second)}) }},
		"SentInAPause":  {"rule 10", func(s *story) { s.tell(saga.Fact{Type: saga.SagaPaused}, started("one")) }},
		"SentUnderAHold": {"rule 10", func(s *story) {
			s.o.held(orchestrator.Hold{Tenant: "default", Scope: orchestrator.HoldParticipant, Name: "alpha"})
			s.tell(started("one"))
		}},
		"LimitedByNothing": {"rule 10", func(s *story) { s.tell(saga.Fact{Type: saga.StepHeld, Step: "one", Code: saga.CodeLimit}) }},
		"HeldByNothing":    {"rule 10", func(s *story) { s.tell(saga.Fact{Type: saga.StepHeld, Step: "one"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			c.tell(s)
			got := ""
			if v := s.o.w.failed; v != nil {
				got = v.Guarantee
			}
			require.Equal(t, c.want, got, "%v", s.o.w.failed)
		})
	}
}

// TestOracle_EffectsAndCertificates: at the end, what is said of effects is compared with what truly happened.
func TestOracle_EffectsAndCertificates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effect       saga.Effect
		done, undone int
		byOperator   bool
		lied         bool
		want         string
	}{
		"CertainAndThere":     {effect: saga.EffectCertain, done: 1},
		"CertainAndNot":       {effect: saga.EffectCertain, want: "S11"},
		"CertainByAnOperator": {effect: saga.EffectCertain, byOperator: true},
		"NoneAndThere":        {effect: saga.EffectNone, done: 1, want: "S13"},
		"UndoneAndGone":       {effect: saga.EffectUndone, done: 1, undone: 1},
		"UndoneAndThere":      {effect: saga.EffectUndone, done: 1, want: "S13"},
		"UndoneAndLiedTo":     {effect: saga.EffectUndone, done: 1, lied: true},
		"Twice":               {effect: saga.EffectCertain, done: 2, want: "S13"},
		"UndoneTwice":         {effect: saga.EffectUndone, done: 1, undone: 2, lied: true, want: "S13"},
		"UndoFailedAndGone":   {effect: saga.EffectUndoFailed, done: 1, undone: 1, want: "S11"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			in := &s.t.in
			in.Status, in.Steps = saga.Abandoned, make([]saga.StepState, 4)
			cert := saga.Certificate{Verdict: saga.CleanlyAborted}
			for i := range in.Steps {
				in.Steps[i].Effect = saga.EffectNone
			}
			in.Steps[0] = saga.StepState{Effect: c.effect, ByOperator: c.byOperator}
			for i := range in.Steps {
				e := saga.StepEffect{Step: s.t.def.Steps[i].Name, Effect: in.Steps[i].Effect, ByOperator: in.Steps[i].ByOperator}
				cert.Effects = append(cert.Effects, e)
				if e.Effect != saga.EffectNone && e.Effect != saga.EffectUndone {
					cert.Verdict, cert.Residue = saga.Residue, append(cert.Residue, e)
				}
			}
			in.Certificate = &cert
			*s.o.w.actors.of(wire.ID(s.t.id), "one") = effect{c.done, c.undone}
			if c.lied {
				s.o.liedTo(wire.ID(s.t.id))
			}
			got, why := s.o.ended(s.t)
			require.Equal(t, c.want, got, why)
		})
	}
}

// TestOracle_BitesBeyondALimit: more than twice a limit is seen, once every replica must know of it, and not before.
func TestOracle_BitesBeyondALimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit orchestrator.Limit
		after time.Duration
		want  bool
	}{
		"Commands": {orchestrator.Limit{Scope: orchestrator.HoldParticipant, Name: "alpha", Commands: 1}, limitKnown, true},
		"Sagas":    {orchestrator.Limit{Scope: orchestrator.HoldSagaType, Sagas: 1}, limitKnown, true},
		"JustSet":  {orchestrator.Limit{Scope: orchestrator.HoldParticipant, Name: "alpha", Commands: 1}, 0, false},
		"Others":   {orchestrator.Limit{Scope: orchestrator.HoldParticipant, Name: "omega", Commands: 1}, limitKnown, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			o, w := s.o, s.o.w
			c.limit.Tenant = s.t.tenant
			if c.limit.Scope == orchestrator.HoldSagaType {
				c.limit.Name = s.t.def.Name
			}
			o.bounded(c.limit)
			w.now = w.now.Add(c.after)
			for range o.atMost(1) + 1 {
				another := *s.t
				another.in = saga.Instance{Status: saga.Running, Steps: make([]saga.StepState, len(s.t.def.Steps))}
				another.in.Steps[0].Status = saga.InFlight
				another.steps = make([]stepTrack, len(s.t.def.Steps))
				another.steps[0].began = w.now
				o.ordered = append(o.ordered, &another)
			}
			o.withinLimits()
			require.Equal(t, c.want, w.failed != nil)
		})
	}
}
