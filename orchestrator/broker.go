package orchestrator

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Broker sends records and reads replies. It is safe for concurrent use.
type Broker interface {
	// Publish sends records and answers one Published each, in the same order, when all are known or ctx ends. Records of one
	// key and topic keep their order (S7). What ctx cuts off is PublishUnknown.
	Publish(ctx context.Context, records []Record) []Published
	// Fetch waits for replies and returns some, in order per partition; none when ctx ends.
	Fetch(ctx context.Context) ([]Delivery, error)
	// Mark says that deliveries are dealt with: their transaction is committed. The adapter commits, per partition, the
	// highest offset below which all is marked (S18). Marks of an older assignment are ignored.
	Mark(deliveries []Delivery)
}

// PublishOutcome says what became of a record.
type PublishOutcome int

// The outcomes of publishing.
const (
	PublishUnknown PublishOutcome = iota // may or may not be in Kafka: stays in the outbox
	PublishAcked
	PublishRefused // refused for good: too large or invalid, sent alone
)

// Published is what became of one record.
type Published struct {
	Outcome   PublishOutcome
	Partition int32
	Offset    int64
	At        time.Time
	Err       error // of refused and unknown
}

// Delivery is one record of the reply topic: a reply to apply, or one that belongs in quarantine.
type Delivery struct {
	Saga   saga.ID
	Tenant string
	// ID is the reply's ce_id.
	ID    string
	Reply saga.Replied
	// Poison is set when the record cannot be applied whatever the saga's state; nil otherwise.
	Poison *Quarantined
	// Raw is the record as it came, for quarantine should it turn out to be not asked for; token redacted.
	Raw Quarantined
	// Ack belongs to the adapter.
	Ack any
}

// Encoder turns what a saga wants to send into records.
type Encoder interface {
	// Command is deterministic but for the time, token and trace headers (S5).
	Command(in *saga.Instance, cmd saga.Command, at time.Time) Record
	// Event is a fact as a lifecycle event.
	Event(in *saga.Instance, fact saga.Fact) Record
}
