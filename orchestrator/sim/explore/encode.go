package explore

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// The one point in time of every state, when its events are judged, and when a timer is due that the move did not choose.
func now() time.Time { return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) }

func judgedAt() time.Time { return now().Add(time.Second) }

func farOff() time.Time { return now().Add(1000 * time.Hour) }

func sagaID() saga.ID { return saga.NewID(now(), 7, 42) }

// interner numbers texts in the order in which they are met. 0 is the empty text.
type interner struct {
	texts   []string
	numbers map[string]uint8
}

func newInterner() *interner { return &interner{texts: []string{""}, numbers: map[string]uint8{"": 0}} }

func (t *interner) number(text string) uint8 {
	n, ok := t.numbers[text]
	if !ok {
		n = uint8(len(t.texts))
		if len(t.texts) > 31 {
			panic(fmt.Sprintf("more than 32 texts in a small world: %q", t.texts))
		}
		t.texts = append(t.texts, text)
		t.numbers[text] = n
	}
	return n
}

func (t *interner) raw(n uint8) json.RawMessage {
	if n == 0 {
		return nil
	}
	return json.RawMessage(t.texts[n])
}

// codec writes instances down to what a state keeps of them, and reads them back.
type codec struct {
	def      *saga.Definition
	values   *interner // outputs and payloads
	codes    *interner
	statuses []saga.Status
	steps    []saga.StepStatus
	effects  []saga.Effect
	reasons  []saga.AttentionReason
	outcomes []saga.ReplyOutcome
}

func newCodec(def *saga.Definition) *codec {
	return &codec{
		def: def, values: newInterner(), codes: newInterner(), statuses: saga.Statuses(), steps: saga.StepStatuses(),
		effects: []saga.Effect{
			saga.EffectNone, saga.EffectPossible, saga.EffectCertain, saga.EffectUndone, saga.EffectUndoFailed, saga.EffectWaived,
		},
		reasons: []saga.AttentionReason{
			"", saga.AttentionExhausted, saga.AttentionSlow, saga.AttentionDeadline, saga.AttentionBadOutput, saga.AttentionExpression,
			saga.AttentionRejected, saga.AttentionUnpublishable, saga.AttentionUndoFailed, saga.AttentionLateEffect,
			saga.AttentionConflict, saga.AttentionBarrier, saga.AttentionHeld, saga.AttentionHistory, saga.AttentionInvariant,
		},
		outcomes: []saga.ReplyOutcome{
			"", saga.ReplySucceeded, saga.ReplyRejected, saga.ReplyFailed, saga.ReplyInProgress, saga.ReplyUnknown,
		},
	}
}

func index[T comparable](all []T, one T) uint8 {
	i := slices.Index(all, one)
	if i < 0 {
		panic(fmt.Sprintf("%v is not in the alphabet %v", one, all))
	}
	return uint8(i)
}

// packed packs booleans, the first in the lowest bit.
func packed(on ...bool) (b uint8) {
	for i, v := range on {
		if v {
			b |= 1 << i
		}
	}
	return b
}

// encode appends what a state keeps of the instance.
func (c *codec) encode(b []byte, in *saga.Instance) []byte {
	amended := in.Certificate != nil && in.Certificate.Amended
	b = append(b, index(c.statuses, in.Status), packed(in.Pause != nil, in.Aborting, in.CancelBy != nil, !in.Deadline.IsZero(), in.DeadlinePassed, amended))
	for i := range in.Steps {
		b = c.encodeStep(b, i, &in.Steps[i])
	}
	mark := len(b)
	for _, a := range in.Attention {
		b = append(b, index(c.reasons, a.Reason)<<4|uint8(c.def.StepIndex(a.Step)+1))
	}
	slices.Sort(b[mark:])
	return b
}

func (c *codec) encodeStep(b []byte, i int, s *saga.StepState) []byte {
	b = append(b, index(c.steps, s.Status)<<4|index(c.effects, s.Effect), index(c.reasons, s.Why),
		packed(s.BadOutput, s.ByOperator, s.Disputed, s.Anomaly, c.errorCode(s) == "expression", c.errorCode(s) == "unpublishable"),
		c.values.number(string(s.Output)))
	b = c.encodeLeg(b, &s.Forward, c.def.Steps[i].Retry.MaxAttempts)
	limit := 0
	if undo := c.def.Steps[i].Compensation; undo != nil {
		limit = undo.Retry.MaxAttempts
	}
	return c.encodeLeg(b, &s.Backward, limit)
}

// errorCode is the code of a step's failure where a rule reads it: attention on a compensation that was never sent.
func (c *codec) errorCode(s *saga.StepState) string {
	if s.Error == nil || s.Status != saga.UndoFailed {
		return ""
	}
	return s.Error.Code
}

func (c *codec) encodeLeg(b []byte, l *saga.Leg, limit int) []byte {
	if !l.Created {
		return append(b, 0)
	}
	code := ""
	if l.AnswerCode == saga.CodeNothingToUndo {
		code = l.AnswerCode
	}
	refused := 0
	attempt := min(l.Attempt, 2)
	switch {
	case l.Refused >= l.Attempt:
		refused = attempt
	case l.Refused == l.Attempt-1:
		refused = attempt - 1
	}
	return append(b, packed(true, l.Probing, l.Contradicted, code != ""), c.values.number(string(l.Payload)), uint8(l.Edition),
		uint8(attempt)<<4|uint8(refused), uint8(min(l.Sends, limit+1))<<4|uint8(min(l.Attempts, limit+1)), index(c.outcomes, l.Answer))
}

// decode reads what encode wrote. Times are those of every state.
func (c *codec) decode(b []byte) saga.Instance {
	in := saga.Instance{
		ID: sagaID(), Tenant: "default", Saga: c.def.Name, Version: 1, Input: json.RawMessage(input),
		Status: c.statuses[b[0]], CreatedAt: now(), UpdatedAt: now(), ClockAt: now(),
		Aborting: b[1]&2 != 0, DeadlinePassed: b[1]&16 != 0, Steps: make([]saga.StepState, len(c.def.Steps)),
	}
	flags := b[1]
	if flags&1 != 0 {
		in.Pause = &saga.Pause{Since: now(), By: "ann", Reason: "because"}
	}
	if in.Aborting {
		in.Abort = &saga.Abort{Reason: saga.AbortCancelled, By: "ann", At: now(), GraceUntil: farOff()}
	}
	if flags&4 != 0 {
		in.CancelBy = &saga.Cancel{By: "ann", Reason: "because"}
	}
	if flags&8 != 0 {
		in.Deadline = farOff()
	}
	b = b[2:]
	for i := range in.Steps {
		b = c.decodeStep(b, &in, &in.Steps[i])
	}
	for _, a := range b {
		step := ""
		if i := int(a & 15); i > 0 {
			step = c.def.Steps[i-1].Name
		}
		in.Attention = append(in.Attention, saga.Attention{Reason: c.reasons[a>>4], Step: step, Since: now()})
	}
	if in.Status.Terminal() {
		in.EndedAt, in.Certificate = now(), c.certificate(&in)
		in.Certificate.Amended = flags&32 != 0
	}
	return in
}

func (c *codec) decodeStep(b []byte, in *saga.Instance, s *saga.StepState) []byte {
	s.Status, s.Effect, s.Why = c.steps[b[0]>>4], c.effects[b[0]&15], c.reasons[b[1]]
	s.BadOutput, s.ByOperator, s.Disputed, s.Anomaly = b[2]&1 != 0, b[2]&2 != 0, b[2]&4 != 0, b[2]&8 != 0
	switch {
	case b[2]&16 != 0:
		s.Error = &saga.Failure{Code: "expression"}
	case b[2]&32 != 0:
		s.Error = &saga.Failure{Code: "unpublishable"}
	}
	s.Output = c.values.raw(b[3])
	b = c.decodeLeg(b[4:], &s.Forward)
	b = c.decodeLeg(b, &s.Backward)
	switch s.Status {
	case saga.InFlight:
		s.Forward.ExpiresAt = farOff()
		if in.Aborting {
			s.GraceUntil = farOff()
		}
	case saga.Undoing:
		s.Backward.ExpiresAt = farOff()
	case saga.BackingOff:
		s.Forward.RetryAt = farOff()
	case saga.UndoBackingOff:
		s.Backward.RetryAt = farOff()
	case saga.Pending, saga.Held, saga.Succeeded, saga.Rejected, saga.Unknown, saga.Skipped, saga.Stuck, saga.Undone, saga.UndoFailed, saga.Waived:
	}
	return b
}

func (c *codec) decodeLeg(b []byte, l *saga.Leg) []byte {
	if b[0] == 0 {
		return b[1:]
	}
	*l = saga.Leg{
		Created: true, Probing: b[0]&2 != 0, Contradicted: b[0]&4 != 0, Payload: c.values.raw(b[1]), Edition: int(b[2]),
		Attempt: int(b[3] >> 4), Refused: int(b[3] & 15), Sends: int(b[4] >> 4), Attempts: int(b[4] & 15), Answer: c.outcomes[b[5]],
		SentAt: now(),
	}
	if b[0]&8 != 0 {
		l.AnswerCode = saga.CodeNothingToUndo
	}
	return b[6:]
}

// certificate is design rule 14, read off the steps.
func (c *codec) certificate(in *saga.Instance) *saga.Certificate {
	cert := &saga.Certificate{Verdict: saga.CleanlyAborted, Residue: []saga.StepEffect{}}
	for i := range in.Steps {
		s := &in.Steps[i]
		e := saga.StepEffect{Step: c.def.Steps[i].Name, Effect: s.Effect, ByOperator: s.ByOperator, Disputed: s.Disputed}
		cert.Effects = append(cert.Effects, e)
		left := s.Effect != saga.EffectNone && s.Effect != saga.EffectUndone
		if in.Status == saga.Completed {
			left = s.Status == saga.Skipped && s.Effect == saga.EffectCertain
		}
		if left {
			cert.Residue, cert.Verdict = append(cert.Residue, e), saga.Residue
		}
	}
	if in.Status == saga.Completed {
		cert.Verdict = saga.Committed
	}
	return cert
}
