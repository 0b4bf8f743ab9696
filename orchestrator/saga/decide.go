package saga

import (
	"fmt"
	"time"
)

// Decide says what ev means for in. It reads no clock and does no I/O: the same inputs give the same Decision, and in is left
// as it was. The error is a *RefusedError for an operator's illegal wish, a *NotAskedError for a reply to a command that was
// never sent; then the Decision means nothing. A broken invariant is no error: the Decision suspends the saga (attention
// `invariant`); that of a start is a *RefusedError.
func Decide(def *Definition, in Instance, ev Event) (Decision, error) {
	m := newMachine(def, in, ev)
	if err := m.judge(ev.Body); err != nil {
		return Decision{}, err
	}
	if broken := m.next.check(m.def); broken != "" && in.Broken == "" {
		if in.ID.IsZero() {
			return Decision{}, Unstartable(broken)
		}
		return Break(def, in, ev.Env, ev.ID, broken), nil
	}
	return m.decision(), nil
}

// Unstartable is why a saga does not start whose start breaks an invariant, or cannot be judged (a panic): nothing is there yet that
// could be suspended.
func Unstartable(why string) *RefusedError {
	return refuse(CodeBroken, "the saga cannot be started: %s", why)
}

// Break suspends a saga whose invariant broke, or whose event cannot be judged (a panic): only abandon is left. It is what
// Decide answers itself; the committer calls it for what Decide could not survive.
func Break(def *Definition, in Instance, env Env, eventID, why string) Decision {
	m := newMachine(def, in, Event{Env: env, ID: eventID})
	m.emit(Fact{Type: SagaBroken, Message: why, Why: "An invariant broke: " + why + "."})
	m.raise(AttentionInvariant, "", why)
	return m.decision()
}

// machine is one call of Decide. Everything that changes goes through emit, or quietly for what no fact tells of.
type machine struct {
	def      *Definition
	in       *Instance
	next     Instance
	env      Env
	eventID  string
	facts    []Fact
	commands []Command
	quiet    bool // next differs from in by more than the facts tell
	ignored  bool
	pending  bool
	trial    bool // only asks whether an action would be refused for the saga's state
	why      string
	failed   *Replied // the failed answer that is being judged; nil: none
	shift    *Shift   // by what timers were moved; its fact is written before the first other one
}

func newMachine(def *Definition, in Instance, ev Event) *machine {
	m := &machine{def: def, in: &in, next: in.clone(), env: ev.Env, eventID: ev.ID}
	m.thaw()
	return m
}

func (m *machine) judge(body Body) error {
	if _, ok := body.(Started); ok != m.in.ID.IsZero() {
		return fmt.Errorf("judge %T: a saga starts once, and first", body)
	}
	switch b := body.(type) {
	case Started:
		m.start(b)
	case Replied:
		if err := m.reply(b); err != nil {
			return err
		}
	case Woken:
		m.wake()
	case Acted:
		if err := m.act(b); err != nil {
			return err
		}
	case PublishRefused:
		if err := m.publishRefused(b); err != nil {
			return err
		}
	}
	m.advance()
	return nil
}

// decision reads off what the event came to.
func (m *machine) decision() Decision {
	d := Decision{Facts: m.facts, Commands: m.commands, Why: m.why, Pending: m.pending}
	if m.quiet {
		m.recordShift()
		d.Facts = m.facts
	}
	if len(m.facts) == 0 && !m.quiet {
		d.Outcome = Ignored
		d.WakeAt = m.wakeAt() // by the timers as they were moved, which nothing stores yet
		d.Next = *m.in
		return d
	}
	if m.ignored {
		d.Outcome = Ignored
	}
	m.next.ClockAt = m.env.At
	m.next.Revision++
	d.Next = m.next
	d.WakeAt = m.wakeAt()
	return d
}

// emit appends a fact and folds it into next.
func (m *machine) emit(f Fact) {
	m.recordShift()
	m.record(f)
	apply(m.def, &m.next, f.stamped(m.env.At))
}

// recordShift writes that timers were moved, before anything is stored that was judged by them (S4).
func (m *machine) recordShift() {
	if m.shift == nil {
		return
	}
	shift := m.shift
	m.shift = nil
	m.record(Fact{Type: TimersShifted, Shift: shift, Why: "Timers moved on by the time that they stood still."})
}

// usualFacts is how many facts an event mostly comes to: what it says, what begins, and an end.
const usualFacts = 3

func (m *machine) record(f Fact) {
	f = f.stamped(m.env.At)
	f.EventID = m.eventID
	m.next.Seq++
	f.Seq = m.next.Seq
	if m.publishes(f.Type) {
		m.next.EventSeq++
		f.Sequence = m.next.EventSeq
	}
	m.next.UpdatedAt = f.At
	if m.facts == nil {
		m.facts = make([]Fact, 0, usualFacts)
	}
	m.facts = append(m.facts, f)
	if f.Why != "" {
		m.why = f.Why
	}
}

// quietly folds a fact that is not recorded (design rule 15).
func (m *machine) quietly(f Fact) {
	m.quiet = true
	m.recordShift()
	apply(m.def, &m.next, f.stamped(m.env.At))
}

func (f Fact) stamped(at time.Time) Fact {
	f.At = at
	return f
}

func (m *machine) publishes(t FactType) bool {
	switch m.def.Events {
	case EventsAll:
		return true
	case EventsNone:
		return false
	case EventsLifecycle:
		return t.lifecycle()
	}
	return t.lifecycle()
}

// raise asks for a person's attention, once.
func (m *machine) raise(reason AttentionReason, step, why string) {
	if m.next.attentionIndex(reason, step) >= 0 {
		return
	}
	m.emit(Fact{Type: AttentionRaised, Reason: reason, Step: step, Message: why, Why: attentionWhy(reason, step, why)})
}

func attentionWhy(reason AttentionReason, step, why string) string {
	text := "Attention: " + string(reason)
	if step != "" {
		text += " (" + step + ")"
	}
	if why != "" {
		text += ": " + why
	}
	return text + "."
}

// ignore notes an event that changes nothing. Past 100 such notes a saga keeps no trace of further ones.
func (m *machine) ignore(r Replied, why string) {
	m.ignored = true
	m.why = why
	if m.next.Ignored >= 100 {
		return
	}
	m.emit(m.replyFact(ReplyIgnored, r, why))
}

func (m *machine) replyFact(t FactType, r Replied, why string) Fact {
	record := r.Record
	return Fact{
		Type: t, Step: r.Step, Verb: r.Verb, Edition: r.Edition, Attempt: r.Attempt, Outcome: r.Outcome, Code: r.Code,
		Message: r.Message, Reply: &record, Why: why,
	}
}

func (m *machine) start(b Started) {
	s := &Start{ID: b.ID, Tenant: b.Tenant, Saga: m.def.Name, Version: m.def.Version, Key: b.Key, Labels: b.Labels, Link: b.Link, Input: b.Input}
	if m.def.Deadline > 0 {
		s.Deadline = m.env.At.Add(m.def.Deadline)
	}
	m.emit(Fact{Type: SagaStarted, Start: s, By: b.By, Why: "The saga started."})
}
