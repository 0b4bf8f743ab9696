package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
)

// Errors of Published.Err.
var (
	// ErrTooLarge says that a record is above Config.MaxMessageBytes; it was not sent.
	ErrTooLarge = errors.New("record too large")
	// ErrBacklog says that Config.MaxPending records wait for an answer already; this one was not sent.
	ErrBacklog = errors.New("too many records wait for the broker")
	// ErrStalled says that the producer gave no result for Config.StallAfter and was given up.
	ErrStalled = errors.New("producer stalled")
	// ErrClosed says that the Broker is closed.
	ErrClosed = errors.New("broker connection closed")
)

// few is up to how many records are sent at once, without waiting for others: those of one transition. So a saga alone loses no
// time, and a batch takes one request instead of three.
const few = 3

// publisher answers what became of records. Records enter a producer in the order of calls, and a call's records in their
// order, so that first appearances keep their order per key and topic (S7).
type publisher struct {
	maxMessageBytes int
	main            *sender       // gathers
	prompt          *sender       // for few records, and for what must be alone in its request
	turn            chan struct{} // holds one token; who has it may use prompt
}

func newPublisher(cfg *Config) *publisher {
	p := &publisher{
		maxMessageBytes: cfg.MaxMessageBytes,
		main:            newSender(cfg, gatherFor),
		prompt:          newSender(cfg, 0),
		turn:            make(chan struct{}, 1),
	}
	p.turn <- struct{}{}
	return p
}

// send hands messages to one of the two producers. What one of them has in hand must not be overtaken by the other: it goes on with
// what follows until it is done.
func (p *publisher) send(ctx context.Context, messages []*sarama.ProducerMessage) []orchestrator.Published {
	if !p.prompt.busy() && (len(messages) > few || p.main.busy()) {
		return p.main.send(ctx, messages)
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return newBatch(len(messages)).end(ctx.Err())
	}
	defer func() { p.turn <- struct{}{} }()
	return p.prompt.send(ctx, messages)
}

func (p *publisher) publish(ctx context.Context, records []orchestrator.Record) []orchestrator.Published {
	out := make([]orchestrator.Published, len(records))
	messages := make([]*sarama.ProducerMessage, 0, len(records))
	places := make([]int, 0, len(records)) // of messages in out
	for i := range records {
		msg := message(&records[i])
		if size := msg.ByteSize(2); size > p.maxMessageBytes {
			out[i] = orchestrator.Published{
				Outcome: orchestrator.PublishRefused,
				Err:     fmt.Errorf("%w: %d bytes, at most %d are sent", ErrTooLarge, size, p.maxMessageBytes),
			}
			continue
		}
		messages = append(messages, msg)
		places = append(places, i)
	}
	for i, result := range p.send(ctx, messages) {
		at := places[i]
		if result.Outcome == orchestrator.PublishUnknown && forGood(result.Err) {
			result = p.alone(ctx, &records[at])
		}
		out[at] = result
	}
	return out
}

// alone sends again a record whose request was refused. The broker's answer is about all records of one partition in the
// request, and so says nothing of this one until it was the only one. Nothing of such a request was stored.
func (p *publisher) alone(ctx context.Context, record *orchestrator.Record) orchestrator.Published {
	select {
	case <-p.turn:
	case <-ctx.Done():
		return unknown(ctx.Err())
	}
	defer func() { p.turn <- struct{}{} }()
	result := p.prompt.send(ctx, []*sarama.ProducerMessage{message(record)})[0]
	if result.Outcome == orchestrator.PublishUnknown && forGood(result.Err) {
		result.Outcome = orchestrator.PublishRefused
	}
	return result
}

// close flushes what is in hand, as long as ctx allows.
func (p *publisher) close(ctx context.Context) error {
	return errors.Join(p.main.close(ctx), p.prompt.close(ctx))
}

// forGood reports whether an error refuses the content itself. Everything else may pass: a missing topic is made, an
// authorization given, a broker comes back.
func forGood(err error) bool {
	var encoding sarama.PacketEncodingError
	var configuration sarama.ConfigurationError
	return errors.Is(err, sarama.ErrMessageSizeTooLarge) || errors.Is(err, sarama.ErrMessageSetSizeTooLarge) ||
		errors.Is(err, sarama.ErrInvalidRecord) || errors.As(err, &encoding) || errors.As(err, &configuration)
}

func unknown(err error) orchestrator.Published {
	return orchestrator.Published{Outcome: orchestrator.PublishUnknown, Err: err}
}

func message(r *orchestrator.Record) *sarama.ProducerMessage {
	msg := &sarama.ProducerMessage{
		Topic:   r.Topic,
		Key:     sarama.ByteEncoder(r.Key),
		Value:   sarama.ByteEncoder(r.Value),
		Headers: make([]sarama.RecordHeader, len(r.Headers)),
		Offset:  -1, // stays so when the broker acknowledges a duplicate without saying where the first one is
	}
	names := make([]byte, 0, 16*len(r.Headers)) // of all headers: one piece of memory instead of twenty
	for i, h := range r.Headers {
		begin := len(names)
		names = append(names, h.Key...)
		msg.Headers[i] = sarama.RecordHeader{Key: names[begin:len(names):len(names)], Value: h.Value}
	}
	return msg
}
