package participants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// Run answers commands until ctx ends, and then drains: what has begun is finished, within Config.DrainTimeout, and
// answered; what has not is left for the next to read. Commands of one saga are handled one after the other. It
// returns nil after a drain, and an error where the transport gives up. The transport stays open.
func (p *Participant) Run(ctx context.Context, transport Transport) error {
	d := newDispatcher(p.config.Concurrency, p.config.InHand)
	defer d.wait()
	p.config.Logger.InfoContext(ctx, "participant started", "participant", p.name, "topic", p.Topic(), "group", p.Group())
	err := transport.Consume(ctx, p.Topic(), p.Group(), func(delivery Delivery) { p.take(d, transport, delivery) })
	if err != nil {
		return fmt.Errorf("consume %s: %w", p.Topic(), err)
	}
	p.config.Logger.InfoContext(ctx, "participant stopped", "participant", p.name)
	return nil
}

// take queues a delivery under its saga. A record that is no command of ours has nobody to be answered to: it is
// logged and passed by, so that the partition moves on [L5].
func (p *Participant) take(d *dispatcher, transport Transport, delivery Delivery) {
	c, err := wire.DecodeCommand(delivery.Record)
	if err == nil && c.Participant != p.name {
		err = fmt.Errorf("command is for participant %q", c.Participant)
	}
	if err != nil {
		p.config.Logger.ErrorContext(delivery.Context, "record is no command", "error", err,
			"topic", delivery.Record.Topic, "partition", delivery.Record.Partition, "offset", delivery.Record.Offset)
		delivery.Finish(nil)
		return
	}
	d.submit(string(c.SagaID[:]), task{
		ctx: delivery.Context,
		run: func() {
			p.handle(transport, delivery, &c, func(err error) {
				d.release()
				delivery.Finish(err)
			})
		},
		drop: func() { delivery.Finish(errNotBegun) },
	})
}

var errNotBegun = errors.New("partition was lost before the command was begun")

// handle answers c, and calls finish once the reply is produced: an offset committed earlier would lose the reply
// with the process.
func (p *Participant) handle(transport Transport, delivery Delivery, c *wire.Command, finish func(error)) {
	ctx, stop := p.drainable(delivery.Context)
	defer stop()
	reply, err := p.Answer(ctx, c, func(ctx context.Context, beat wire.Reply) {
		transport.Send(beat.Record(c.ReplyTo), func(err error) {
			if err != nil {
				p.config.Logger.WarnContext(ctx, "heartbeat was not sent", "error", err, "saga_id", c.SagaID.String(), "step", c.Step)
			}
		})
	})
	switch {
	case errors.Is(err, ErrNoReply):
		finish(nil)
		return
	case err != nil:
		finish(err)
		return
	}
	if reply.Outcome == wire.Failed {
		p.config.Logger.WarnContext(ctx, "command failed", "saga_id", c.SagaID.String(), "step", c.Step,
			"verb", string(c.Verb), "command", c.Name, "attempt", c.Attempt, "code", reply.Code, "error", reply.Message)
	}
	transport.Send(reply.Record(c.ReplyTo), func(err error) {
		if errors.Is(err, ErrReplyRefused) {
			// The engine runs into its timeout and asks again; holding the partition would stop all other sagas.
			p.config.Logger.ErrorContext(ctx, "reply was refused by the broker", "error", err,
				"saga_id", c.SagaID.String(), "step", c.Step, "topic", c.ReplyTo)
			err = nil
		}
		finish(err)
	})
}

// drainable is a context that ends DrainTimeout after parent does, so that what has begun may finish.
func (p *Participant) drainable(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	ended := context.AfterFunc(parent, func() {
		timer := time.NewTimer(p.config.DrainTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		ended()
		cancel()
	}
}
