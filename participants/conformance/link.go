package conformance

import (
	"context"
	"errors"

	"github.com/skaldhq/skald/participants/wire"
)

// Link reaches a participant. It is for one run at a time.
type Link interface {
	// Commands is the participant's topic, and how many partitions it has.
	Commands() (topic string, partitions int32)
	// Replies is a topic that nobody else uses, and how many partitions it has.
	Replies() (topic string, partitions int32)
	// Send stores records in the order given, each at the partition that it names. It returns when the broker has them.
	Send(ctx context.Context, records ...wire.Record) error
	// Receive is the next record of the reply topics, with its coordinates. It waits until there is one. An error says that there is none:
	// ctx has ended, or none will come before something is sent.
	Receive(ctx context.Context) (wire.Record, error)
}

// ErrCannotHold is what Crasher's Hold and Release give where the broker cannot hold a reply back. What wraps it says why.
var ErrCannotHold = errors.New("replies cannot be held back")

// Crasher crashes the participant between its commit and its reply.
type Crasher interface {
	// Hold names a reply topic that takes no record before Release.
	Hold(ctx context.Context) (topic string, err error)
	// Kill ends the participant at once, as a crash does, and returns when it is gone.
	Kill(ctx context.Context) error
	// Release has the topic take records; the Link receives them.
	Release(ctx context.Context, topic string) error
	// Restart starts the participant again and returns when it reads its topic.
	Restart(ctx context.Context) error
}
