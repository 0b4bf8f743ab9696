package conformance

import (
	"errors"
	"time"
)

// commitWithin is how long the participant has to commit, before it is killed, where it does not show that it has.
const commitWithin = 3 * time.Second

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
