package participants

import (
	"context"
	"errors"

	"github.com/skaldhq/skald/participants/wire"
)

// ErrReplyRefused is what Send's done gets when the broker will never take the record: no such topic, or too large.
var ErrReplyRefused = errors.New("broker refuses the record for good")

// Transport brings commands and takes replies, both at least once.
type Transport interface {
	// Consume reads topic as a member of group until ctx ends, and calls take for each record, in order within a
	// partition, from one goroutine per partition. take may block, to slow the reading down, until the delivery's
	// context ends. Consume returns nil after ctx ended and every delivery was finished, and an error only where
	// trying again is no use.
	Consume(ctx context.Context, topic, group string, take func(Delivery)) error
	// Send hands a record to the broker. It may block while too much is under way. done is called once, with nil
	// when the record is as durable as the broker makes it, or why it isn't known to be. Send may be called as long
	// as a delivery is not finished.
	Send(record wire.Record, done func(error))
}

// Delivery is one record. Finish must be called exactly once.
type Delivery struct {
	// Context ends when the partition is lost or Consume is told to end: what is not begun is to be left.
	Context context.Context
	Record  wire.Record
	// Finish says with nil that the record is done with, so that its offset may be committed once all before it
	// are; any error leaves it to be delivered again.
	Finish func(error)
}
