package saga

import "bytes"

// The numbers of the fields of stored bytes, in rising order within a type. A number is never used for another field again.

func (in *Instance) fields(c *codec) {
	uuid(c, 1, &in.ID)
	text(c, 2, &in.Tenant)
	text(c, 3, &in.Saga)
	number(c, 4, &in.Version)
	text(c, 5, &in.Key)
	c.labels(6, &in.Labels)
	uuid(c, 7, &in.Link)
	text(c, 8, &in.Status)
	c.moment(9, &in.CreatedAt)
	c.moment(10, &in.UpdatedAt)
	c.moment(11, &in.EndedAt)
	number(c, 12, &in.Revision)
	number(c, 13, &in.Seq)
	number(c, 14, &in.EventSeq)
	number(c, 15, &in.Ignored)
	c.payload(16, &in.Input)
	c.input = in.Input
	c.payload(17, &in.Output)
	pointer(c, 18, &in.Pause)
	c.flag(19, &in.Aborting)
	pointer(c, 20, &in.Abort)
	pointer(c, 21, &in.CancelBy)
	c.moment(22, &in.Deadline)
	c.flag(23, &in.DeadlinePassed)
	list(c, 24, &in.Steps)
	list(c, 25, &in.Attention)
	pointer(c, 26, &in.Certificate)
	text(c, 27, &in.Broken)
	c.moment(28, &in.ClockAt)
	c.moment(29, &in.BlankedAt)
}

func (p *Pause) fields(c *codec) {
	c.moment(1, &p.Since)
	text(c, 2, &p.By)
	text(c, 3, &p.Reason)
}

func (a *Abort) fields(c *codec) {
	text(c, 1, &a.Reason)
	text(c, 2, &a.Step)
	text(c, 3, &a.Code)
	text(c, 4, &a.Message)
	text(c, 5, &a.By)
	c.moment(6, &a.At)
	c.moment(7, &a.GraceUntil)
}

func (b *Cancel) fields(c *codec) {
	text(c, 1, &b.By)
	text(c, 2, &b.Reason)
}

func (a *Attention) fields(c *codec) {
	text(c, 1, &a.Reason)
	text(c, 2, &a.Step)
	c.moment(3, &a.Since)
}

func (f *Failure) fields(c *codec) {
	text(c, 1, &f.Code)
	text(c, 2, &f.Message)
}

func (s *StepState) fields(c *codec) {
	text(c, 1, &s.Status)
	text(c, 2, &s.Effect)
	c.inline(3, s.Forward.fields)
	c.inline(4, s.Backward.fields)
	c.payload(5, &s.Output)
	pointer(c, 6, &s.Error)
	text(c, 7, &s.Why)
	c.flag(8, &s.BadOutput)
	c.flag(9, &s.ByOperator)
	c.flag(10, &s.Disputed)
	c.flag(11, &s.Anomaly)
	c.moment(12, &s.GraceUntil)
	c.moment(13, &s.StartedAt)
	c.moment(14, &s.EndedAt)
	c.moment(15, &s.LimitedAt)
}

func (l *Leg) fields(c *codec) {
	c.flag(1, &l.Created)
	same := !c.reading && len(l.Payload) > 0 && bytes.Equal(l.Payload, c.input)
	if !same {
		c.payload(2, &l.Payload)
	}
	number(c, 3, &l.Edition)
	number(c, 4, &l.Attempt)
	number(c, 5, &l.Sends)
	number(c, 6, &l.Attempts)
	number(c, 7, &l.Refused)
	c.flag(8, &l.Probing)
	c.moment(9, &l.SentAt)
	c.moment(10, &l.ExpiresAt)
	c.moment(11, &l.Heartbeat)
	c.moment(12, &l.RetryAt)
	text(c, 13, &l.Answer)
	text(c, 14, &l.AnswerCode)
	c.flag(15, &l.Contradicted)
	uuid(c, 16, &l.Batch)
	number(c, 17, &l.Index)
	number(c, 18, &l.Version)
	if c.flag(19, &same); c.reading && same {
		l.Payload = c.input
	}
}

func (ce *Certificate) fields(c *codec) {
	text(c, 1, &ce.Verdict)
	list(c, 2, &ce.Effects)
	list(c, 3, &ce.Residue)
	c.flag(4, &ce.Amended)
}

func (e *StepEffect) fields(c *codec) {
	text(c, 1, &e.Step)
	text(c, 2, &e.Effect)
	c.flag(3, &e.ByOperator)
	c.flag(4, &e.Disputed)
}

func (f *Fact) fields(c *codec) {
	number(c, 1, &f.Seq)
	c.moment(2, &f.At)
	text(c, 3, &f.Type)
	text(c, 4, &f.EventID)
	number(c, 5, &f.Sequence)
	text(c, 6, &f.Step)
	text(c, 7, &f.Verb)
	number(c, 8, &f.Edition)
	number(c, 9, &f.Attempt)
	c.flag(10, &f.Renewed)
	uuid(c, 11, &f.Batch)
	number(c, 12, &f.Index)
	c.payload(13, &f.Payload)
	c.payload(14, &f.Output)
	c.moment(15, &f.ExpiresAt)
	c.moment(16, &f.RetryAt)
	text(c, 17, &f.Outcome)
	text(c, 18, &f.Code)
	text(c, 19, &f.Message)
	text(c, 20, &f.Effect)
	pointer(c, 21, &f.Reply)
	c.flag(22, &f.ByOperator)
	c.flag(23, &f.Disputed)
	c.flag(24, &f.Anomaly)
	text(c, 25, &f.Reason)
	pointer(c, 26, &f.Abort)
	text(c, 27, &f.By)
	text(c, 28, &f.Wish)
	pointer(c, 29, &f.Shift)
	pointer(c, 30, &f.Start)
	pointer(c, 31, &f.End)
	text(c, 32, &f.Why)
	pointer(c, 33, &f.Rebound)
}

func (r *Rebound) fields(c *codec) {
	number(c, 1, &r.From)
	number(c, 2, &r.To)
	list(c, 3, &r.Legs)
}

func (l *LegState) fields(c *codec) {
	number(c, 1, &l.Step)
	text(c, 2, &l.Verb)
	text(c, 3, &l.Status)
	pointer(c, 4, &l.Error)
	c.inline(5, l.Leg.fields)
}

func (co *Coordinates) fields(c *codec) {
	text(c, 1, &co.Topic)
	number(c, 2, &co.Partition)
	number(c, 3, &co.Offset)
}

func (s *Start) fields(c *codec) {
	uuid(c, 1, &s.ID)
	text(c, 2, &s.Tenant)
	text(c, 3, &s.Saga)
	number(c, 4, &s.Version)
	text(c, 5, &s.Key)
	c.labels(6, &s.Labels)
	uuid(c, 7, &s.Link)
	c.payload(8, &s.Input)
	c.moment(9, &s.Deadline)
}

func (s *Shift) fields(c *codec) {
	number(c, 1, &s.Deadline)
	number(c, 2, &s.Grace)
	c.numbers(3, &s.Steps)
}
