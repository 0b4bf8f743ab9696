package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

const (
	resends     = 3
	resendPause = 500 * time.Millisecond // before the first; doubles
)

// sending is a record on its way. It is sent again where its fate is not known, also when sarama gave it up: its topic
// may have been made just now, and the other way, to leave the group and read its command again, would stop all other
// sagas of the process for a moment. It may be written twice, which a reply may be.
type sending struct {
	record wire.Record
	done   func(error)
	tries  int
	lost   bool // the broker said once that there is no such topic; later errors are about its leader
}

// Send implements participants.Transport.
func (t *Transport) Send(record wire.Record, done func(error)) {
	t.send(&sending{record: record, done: done})
}

func (t *Transport) send(s *sending) {
	message := &sarama.ProducerMessage{
		Topic:     s.record.Topic,
		Key:       sarama.ByteEncoder(s.record.Key),
		Value:     sarama.ByteEncoder(s.record.Value),
		Headers:   make([]sarama.RecordHeader, len(s.record.Headers)),
		Timestamp: s.record.Timestamp,
		Metadata:  s,
	}
	names := make([]byte, 0, 16*len(s.record.Headers)) // of all headers: one piece of memory instead of twenty
	for i, h := range s.record.Headers {
		begin := len(names)
		names = append(names, h.Key...)
		message.Headers[i] = sarama.RecordHeader{Key: names[begin:len(names):len(names)], Value: h.Value}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		s.done(ErrClosed)
		return
	}
	p := t.prompt
	if t.inHand.Load() > few {
		p = t.gathering
	}
	p.async.Input() <- message
}

// sent takes the producer's verdict.
func (t *Transport) sent(s *sending, err error) {
	s.lost = s.lost || errors.Is(err, sarama.ErrUnknownTopicOrPartition)
	switch {
	case err == nil:
		s.done(nil)
	case refused(err):
		s.done(fmt.Errorf("%w: %w", participants.ErrReplyRefused, err))
	case s.tries < resends && !t.isClosed():
		// A timer and not a wait: this goroutine drains the producer.
		pause := resendPause << s.tries
		s.tries++ // before: the other producer's goroutine may have its verdict next
		time.AfterFunc(pause, func() { t.send(s) })
	case s.lost:
		s.done(fmt.Errorf("%w: %w", participants.ErrReplyRefused, err))
	default:
		s.done(err)
	}
}

// refused tells records that the broker will never take from those that it may have taken. A topic that is not known
// may be one that was just made.
func refused(err error) bool {
	var tooLarge sarama.ConfigurationError // above MaxMessageBytes
	return errors.As(err, &tooLarge) || errors.Is(err, sarama.ErrMessageSizeTooLarge) ||
		errors.Is(err, sarama.ErrInvalidMessage) || errors.Is(err, sarama.ErrInvalidTopic)
}
