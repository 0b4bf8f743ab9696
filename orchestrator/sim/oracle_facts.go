package sim

import (
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// stepTrack is what the facts say of a step.
type stepTrack struct {
	effect   saga.Effect
	settled  bool // succeeded or skipped
	open     bool // its command is out, or is to be sent again
	undoing  bool // so is its compensation
	undone   bool // a compensation was created at some time
	failed   bool // it failed to be undone
	anomaly  bool
	operator bool      // a person settled it
	late     bool      // its effect became certain where none was expected
	stuck    bool      // its newest first command, if it was sent at all, was sent for a person
	began    time.Time // when its first command came, by the world's time
	legs     [2]legTrack
}

// legTrack is one direction: forward and backward.
type legTrack struct {
	created bool
	edition int
	expires time.Time // of the newest attempt that a fact tells of
	retry   time.Time // end of its back-off
	settled map[saga.ReplyOutcome]bool
	answer  bool // the edition was answered, whatever became of that
}

type deadlineTrack struct{ at time.Time }

func leg(v saga.Verb) int {
	if v == saga.Compensate {
		return 1
	}
	return 0
}

// fact checks one new fact against those before it.
func (o *oracle) fact(t *track, f *saga.Fact) {
	w := o.w
	if f.At.After(w.database.now()) && !w.database.wentBack() {
		w.violate("S21", "%s: %s is said to have happened at %s", t.id, f.Type, f.At)
	}
	if t.ended && !afterEnd(f.Type) && !(t.abandoned && (f.Type == saga.UndoSucceeded || f.Type == saga.UndoRefused)) {
		w.violate("S16", "%s: %s after the end", t.id, f.Type)
	}
	var s *stepTrack
	i := -1
	if f.Step != "" {
		if i = t.def.StepIndex(f.Step); i < 0 {
			if f.Type != saga.AbortStarted {
				w.violate("S9", "%s has no step %q", t.id, f.Step)
			}
			return
		}
		s = &t.steps[i]
	}
	if f.Reply != nil {
		o.answered(t, f)
	}
	if f.Effect != "" && s != nil {
		s.effect = f.Effect
	}
	switch f.Type {
	case saga.SagaStarted:
		t.deadline.at = f.Start.Deadline
		for j := range t.steps {
			t.steps[j].effect = saga.EffectNone
		}
	case saga.SagaRebound:
		o.rebound(t, f)
	case saga.SagaPaused:
		t.paused = true
	case saga.SagaResumed:
		t.paused = false
	case saga.AbortStarted:
		if t.passed {
			o.breach("S15", t, f, "the saga is undone past the pivot")
		}
		t.aborting = true
	case saga.SagaCompleted:
		t.ended = true
		if t.aborting {
			o.breach("S14", t, f, "it completed although it was being undone")
		}
		for j := range t.steps {
			if !t.steps[j].settled {
				o.breach("S10", t, f, "it completed before %s was settled", t.def.Steps[j].Name)
			}
		}
	case saga.SagaCompensated:
		t.ended = true
		o.compensated(t, f)
	case saga.SagaAbandoned:
		t.ended, t.abandoned = true, true
	case saga.DeadlinePassed:
		if f.At.Before(t.deadline.at) {
			o.breach("S21", t, f, "the deadline is at %s", t.deadline.at)
		}
	case saga.TimersShifted:
		t.shift(f.Shift)
	case saga.StepHeld, saga.StepStarted, saga.StepSent, saga.StepBackedOff, saga.StepSucceeded, saga.StepRejected, saga.StepUnknown,
		saga.StepSkipped, saga.StepStuck, saga.EffectChanged, saga.ReplyConflict:
		o.forward(t, f, i, s)
	case saga.UndoStarted, saga.UndoSent, saga.UndoBackedOff, saga.UndoSucceeded, saga.UndoRefused, saga.StepWaived:
		o.backward(t, f, i, s)
	case saga.SagaSuspended, saga.SagaUnsuspended, saga.SagaBroken, saga.CancelRequested, saga.CancelRefused, saga.AttentionRaised,
		saga.AttentionCleared, saga.CertificateAmended, saga.ReplyRecorded:
	case saga.PublishFailed, saga.ReplyIgnored:
		if f.Code != "unpublishable" {
			return
		}
		for _, verb := range []saga.Verb{f.Verb, saga.Probe} {
			if c := o.commands[commandKey{t.id, f.Step, verb, f.Edition}]; c != nil {
				c.seen = true // its saga says that it never will be (S6)
			}
		}
	}
}

// forward checks a fact about the way forward.
func (o *oracle) forward(t *track, f *saga.Fact, i int, s *stepTrack) {
	l := &s.legs[0]
	switch f.Type {
	case saga.StepStarted:
		o.mayMove(t, f, i)
		for _, p := range t.def.Steps[i].After {
			if !t.steps[p].settled {
				o.breach("S10", t, f, "it started before %s was settled", t.def.Steps[p].Name)
			}
		}
		if t.aborting {
			o.breach("rule 6", t, f, "it started after the abort")
		}
		o.nextEdition(t, f, l)
		s.open = true
		if s.began = o.w.now; f.Edition > 0 || s.stuck {
			s.began = time.Time{}
			o.exempt = append(o.exempt, o.w.now)
		}
	case saga.StepSent:
		o.mayMove(t, f, i)
		if t.aborting {
			o.breach("rule 6", t, f, "it was sent after the abort")
		}
		o.notEarly(t, f, l, i)
		l.expires, l.retry = f.ExpiresAt, time.Time{}
		s.open = true
	case saga.StepBackedOff:
		if f.Code == "timeout" {
			o.notEarly(t, f, l, i)
		}
		if shortest := backOff(t.def.Steps[i].Retry); f.RetryAt.Sub(f.At) < shortest {
			o.breach("rule 3", t, f, "it backs off for %s, and its policy says at least %s", f.RetryAt.Sub(f.At), shortest)
		}
		l.retry, l.expires = f.RetryAt, time.Time{}
	case saga.StepSucceeded, saga.StepSkipped:
		if s.undone {
			o.breach("S14", t, f, "it was on its way back")
		}
		s.settled, s.open = true, false
		o.pass(t, i)
	case saga.StepStuck:
		s.open, s.stuck = false, true
		if f.Reason == saga.AttentionBadOutput {
			o.pass(t, i)
		}
	case saga.StepRejected, saga.StepUnknown:
		if s.undone {
			o.breach("S14", t, f, "it was on its way back")
		}
		s.open = false
	case saga.EffectChanged:
		s.anomaly = s.anomaly || f.Anomaly
		s.late = s.late || f.Effect == saga.EffectCertain
	case saga.ReplyConflict:
		if !o.lied[t.id] && !f.Disputed {
			o.breach("S8", t, f, "honest participants are said to contradict themselves")
		}
	case saga.StepHeld:
		if f.Code == saga.CodeLimit {
			o.limited(t, f, i)
		} else if o.holding(t, f.At, i, true) == "" {
			o.breach("rule 10", t, f, "it is held, and nothing holds it")
		}
	default:
	}
	s.operator = s.operator || f.ByOperator || f.Wish != ""
}

// backward checks a fact about the way back.
func (o *oracle) backward(t *track, f *saga.Fact, i int, s *stepTrack) {
	l := &s.legs[1]
	switch f.Type {
	case saga.UndoStarted:
		o.mayMove(t, f, i)
		switch {
		case t.passed:
			o.breach("S15", t, f, "it is undone past the pivot")
		case !t.aborting:
			o.breach("S11", t, f, "it is undone without an abort")
		case s.failed: // an operator wants it again, whatever is known by now
		case s.effect != saga.EffectPossible && s.effect != saga.EffectCertain && s.effect != saga.EffectUndoFailed:
			o.breach("S11", t, f, "it is undone although its effect is %s", s.effect)
		case s.open:
			o.breach("S12", t, f, "it is undone while its command is out")
		}
		if !s.anomaly && !s.failed {
			o.lastFirst(t, f, i)
		}
		o.nextEdition(t, f, l)
		o.exempt = append(o.exempt, o.w.now)
		s.undoing, s.undone, s.failed = true, true, false
	case saga.UndoSent:
		o.mayMove(t, f, i)
		o.notEarly(t, f, l, i)
		l.expires, l.retry = f.ExpiresAt, time.Time{}
		s.undoing, s.failed = true, false
	case saga.UndoBackedOff:
		if f.Code == "timeout" {
			o.notEarly(t, f, l, i)
		}
		if shortest := backOff(t.def.Steps[i].Compensation.Retry); f.RetryAt.Sub(f.At) < shortest {
			o.breach("L4", t, f, "it backs off for %s, and its policy says at least %s", f.RetryAt.Sub(f.At), shortest)
		}
		l.retry, l.expires = f.RetryAt, time.Time{}
	case saga.UndoSucceeded, saga.StepWaived:
		s.undoing, s.failed, s.undone = false, false, true
	case saga.UndoRefused:
		s.undoing, s.failed = false, true
	default:
	}
	s.operator = s.operator || f.ByOperator
}

// lastFirst holds S12: every later step is settled backwards before this one is undone.
func (o *oracle) lastFirst(t *track, f *saga.Fact, i int) {
	for _, d := range t.def.Descendants(i) {
		below := &t.steps[d]
		left := below.effect == saga.EffectPossible || below.effect == saga.EffectCertain
		if below.open || below.undoing || below.failed || left && t.def.Steps[d].Compensation != nil {
			if below.anomaly && !below.open {
				continue
			}
			o.breach("S12", t, f, "it is undone before %s (%s)", t.def.Steps[d].Name, below.effect)
		}
	}
}

// compensated holds S11 and S13 at the end, by the facts: nothing that may have taken effect and can be undone was left.
func (o *oracle) compensated(t *track, f *saga.Fact) {
	if !t.aborting {
		o.breach("S11", t, f, "it is compensated without an abort")
	}
	for j := range t.steps {
		s := &t.steps[j]
		left := s.effect == saga.EffectPossible || s.effect == saga.EffectCertain || s.effect == saga.EffectUndoFailed
		if s.open || s.undoing || left && t.def.Steps[j].Compensation != nil {
			o.breach("S11", t, f, "it is compensated and %s is left (%s)", t.def.Steps[j].Name, s.effect)
		}
	}
}

// pass notes that the point of no return is behind.
func (o *oracle) pass(t *track, i int) {
	if i == t.def.PivotIndex() && !t.aborting {
		t.passed = true
	}
}

// nextEdition begins an edition.
func (o *oracle) nextEdition(t *track, f *saga.Fact, l *legTrack) {
	want := 0
	if l.created {
		want = l.edition + 1
		if !l.answer {
			o.breach("S5", t, f, "edition %d, and %d was never answered: a retry is the same command again", f.Edition, l.edition)
		}
	}
	if f.Edition != want {
		o.breach("S5", t, f, "edition %d where %d comes next", f.Edition, want)
	}
	*l = legTrack{created: true, edition: f.Edition, expires: f.ExpiresAt}
	o.plans[commandKey{t.id, f.Step, f.Verb, f.Edition}] = t.plan
}

// backOff is the shortest back-off that a policy knows.
func backOff(r saga.Retry) time.Duration {
	return time.Duration(float64(min(r.Initial, r.Max))*(1-r.Jitter)) - time.Microsecond
}

// notEarly holds S21: an attempt ends no earlier than it was to, by the time of the database, unless an operator wants it.
func (o *oracle) notEarly(t *track, f *saga.Fact, l *legTrack, i int) {
	due := l.expires
	if !l.retry.IsZero() {
		due = l.retry
	}
	if !f.Renewed && f.At.Before(due) {
		o.breach("S21", t, f, "it was due at %s", due)
	}
}

// shift moves timers with what stood still.
func (t *track) shift(s *saga.Shift) {
	move := func(at *time.Time, us int64) {
		if !at.IsZero() {
			*at = at.Add(time.Duration(us) * time.Microsecond)
		}
	}
	move(&t.deadline.at, s.Deadline)
	for i, us := range s.Steps {
		for j := range t.steps[i].legs {
			move(&t.steps[i].legs[j].expires, us)
			move(&t.steps[i].legs[j].retry, us)
		}
	}
}

// answered holds S8 and S9: a reply is applied at most once, only to the command that it answers, and as it was sent.
func (o *oracle) answered(t *track, f *saga.Fact) {
	r := o.w.actors.said[f.EventID]
	if f.Outcome == "" { // what a failed answer led to: it settles nothing
		failed := r != nil && (r.outcome == wire.Failed || r.outcome == wire.Unknown)
		if !failed || !r.valid || r.saga != wire.ID(t.id) || r.step != f.Step {
			o.breach("S9", t, f, "reply %s, which it is said to come from, is not a failure of it: %+v", f.EventID, r)
		}
		return
	}
	if r == nil || !r.valid || r.saga != wire.ID(t.id) || r.step != f.Step || string(r.verb) != string(f.Verb) ||
		r.edition != f.Edition || string(r.outcome) != string(f.Outcome) {
		o.breach("S9", t, f, "reply %s is not what was sent: %+v", f.EventID, r)
		return
	}
	l := &t.steps[t.def.StepIndex(f.Step)].legs[leg(f.Verb)]
	if f.Edition == l.edition && (f.Outcome == saga.ReplySucceeded || f.Outcome == saga.ReplyRejected) {
		l.answer = true
	}
	switch f.Type {
	case saga.StepSucceeded, saga.StepRejected, saga.UndoSucceeded, saga.UndoRefused, saga.StepStuck:
	default:
		return
	}
	if o.applied[f.EventID]++; o.applied[f.EventID] > 1 {
		o.breach("S8", t, f, "reply %s is applied twice", f.EventID)
	}
	if l.settled == nil {
		l.settled = map[saga.ReplyOutcome]bool{}
	}
	if l.settled[f.Outcome] || len(l.settled) > 0 && !o.lied[t.id] {
		o.breach("S8", t, f, "%s of edition %d was settled before", f.Verb, f.Edition)
	}
	l.settled[f.Outcome] = true
}

// mayMove holds rule 10: nothing is sent under a pause or a hold.
func (o *oracle) mayMove(t *track, f *saga.Fact, i int) {
	if t.paused {
		o.breach("rule 10", t, f, "it was sent under a pause")
	} else if why := o.holding(t, f.At, i, false); why != "" && why != "pause" {
		o.breach("rule 10", t, f, "it was sent under a hold (%s)", why)
	}
}

// breach is a violation by a fact.
func (o *oracle) breach(guarantee string, t *track, f *saga.Fact, format string, args ...any) {
	if o.w.failed == nil {
		args = append([]any{t.def.Name, t.id, f.Type, f.Step}, args...)
		args = append(args, o.tell(t, []saga.Fact{*f}))
		o.w.violate(guarantee, "%s %s, %s %s: "+format+"\n%s", args...)
	}
}

// afterEnd reports whether such a fact may come once a saga has ended (design rule 9).
func afterEnd(f saga.FactType) bool {
	switch f {
	case saga.EffectChanged, saga.ReplyRecorded, saga.ReplyConflict, saga.ReplyIgnored, saga.AttentionRaised, saga.AttentionCleared,
		saga.CertificateAmended, saga.PublishFailed:
		return true
	default:
		return false
	}
}
