package conformance

import (
	"errors"
	"time"
)

const (
	// commitWithin is how long the participant has to commit, before it is killed, where it does not show that it has.
	commitWithin = 3 * time.Second
	// offsetWithin is how long one that has committed may go on: an offset that it should not commit is committed meanwhile. Longer, and
	// some clients would give up the reply as one that the broker refuses for good.
	offsetWithin = 2 * time.Second
)

// playCrash holds the reply back while the effect commits, kills the participant, and lets it start again: the command, whose offset cannot
// have been committed, must come again and get the stored answer. Where the participant answers a duplicate meanwhile, to a topic that takes
// it, it is certain that the effect was committed before the crash.
func playCrash(s *scene) {
	topic, err := s.Crasher.Hold(s.ctx)
	if err != nil {
		s.untried("%v", err)
		return
	}
	_, s.spread[topic] = s.Link.Replies()
	c := s.execute(0)
	c.ReplyTo = topic
	held := s.deliver(c)
	c = s.next(c)
	c.ReplyTo = s.replyTo
	witness := s.deliver(c)
	if err := s.send(s.ctx, held, witness); err != nil {
		return
	}
	committed := s.await(s.ctx, min(commitWithin, s.Patience), witness)
	if committed {
		s.receive(s.ctx, min(offsetWithin, s.Patience), func() bool { return len(held.answers) > 0 })
	}
	if err := s.crash(topic); errors.Is(err, ErrCannotHold) {
		s.untried("%v", err)
		return
	} else if err != nil {
		s.fail("%v", err)
		return
	}
	if committed {
		s.see("it commits, and is killed")
	} else {
		s.see("it is killed while it cannot reply")
	}
	answers := make([]answer, 2)
	s.collect(s.RestartPatience, answers, []*delivery{held, witness})
	s.want(answers[0], "succeeded", "")
	s.same(answers[1], answers[0])
}

// crash kills the participant before its reply is taken, and starts it again.
func (s *scene) crash(topic string) error {
	if err := s.Crasher.Kill(s.ctx); err != nil {
		return err
	}
	if err := s.Crasher.Release(s.ctx, topic); err != nil {
		return errors.Join(err, s.Crasher.Restart(s.ctx))
	}
	return s.Crasher.Restart(s.ctx)
}
