package crashpoint

import (
	"context"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// broker is a Broker with the Tap in front of it.
type broker struct {
	orchestrator.Broker
	t *Tap
}

// Broker puts the Tap in front of a broker.
func (t *Tap) Broker(b orchestrator.Broker) orchestrator.Broker { return &broker{b, t} }

func (b *broker) Publish(ctx context.Context, records []orchestrator.Record) []orchestrator.Published {
	sagas := sagasOf(records)
	if len(sagas) == 0 { // lifecycle events alone
		return b.Broker.Publish(ctx, records)
	}
	b.t.At(RelayProducing, sagas...)
	published := b.Broker.Publish(ctx, records)
	b.t.At(RelayAppended, sagas...)
	return published
}

func (b *broker) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	deliveries, err := b.Broker.Fetch(ctx)
	if ctx.Err() != nil {
		b.t.At(Draining)
	}
	if sagas := b.t.fetch(deliveries, 1); len(sagas) > 0 {
		b.t.At(ReplyFetched, sagas...)
	}
	return deliveries, err
}

func (b *broker) Mark(deliveries []orchestrator.Delivery) {
	sagas := b.t.fetch(deliveries, -1)
	if len(sagas) > 0 {
		b.t.At(ReplyCommitted, sagas...)
	}
	b.Broker.Mark(deliveries)
	if len(sagas) > 0 {
		b.t.At(ReplyMarked, sagas...)
	}
}

// fetch counts what is fetched and not marked.
func (t *Tap) fetch(deliveries []orchestrator.Delivery, by int) (sagas []saga.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range deliveries {
		id := deliveries[i].Saga
		if id.IsZero() {
			continue
		}
		if t.fetched[id] += by; t.fetched[id] <= 0 {
			delete(t.fetched, id)
		}
		sagas = append(sagas, id)
	}
	return sagas
}
