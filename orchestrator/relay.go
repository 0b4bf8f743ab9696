package orchestrator

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// outgoing is a row of the outbox to be published.
type outgoing struct{ row OutboxRow }

// relayRows is how many rows are published together.
const relayRows = 64

// relay publishes what is committed, in the order of commits. It never has a transaction open.
type relay struct {
	limit    time.Duration // of one publish: when it ends, others may publish the rows
	broker   Broker
	queue    *queue[outgoing]
	intake   *queue[*item]
	acks     *acks
	clock    Clock
	observer Observer
	health   *health
	log      *slog.Logger
}

// run publishes until the queue is empty and ctx has ended.
func (r *relay) run(ctx context.Context) {
	for {
		rows := r.queue.Take(ctx, relayRows, time.Second)
		if len(rows) > 0 {
			r.publish(ctx, rows)
		} else if ctx.Err() != nil {
			return
		}
	}
}

func (r *relay) publish(ctx context.Context, rows []outgoing) {
	var records []Record
	for _, o := range rows {
		records = append(records, o.row.Records...)
	}
	began := r.clock.Now()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.limit)
	published := r.broker.Publish(limited, records)
	cancel()
	unknown, refused := 0, 0
	var reason error
	for _, o := range rows {
		own := published[:len(o.row.Records)]
		published = published[len(own):]
		u, no, err := r.settle(ctx, o.row, own)
		unknown, refused = unknown+u, refused+no
		if reason == nil {
			reason = err
		}
	}
	if unknown > 0 { // one line for all: in an outage every row comes by again and again
		r.log.WarnContext(ctx, "publishing is tried again", "batches", len(rows), "records", unknown, "error", reason)
	}
	r.health.published(unknown == 0 || unknown < len(records))
	r.observer.Published(len(records), unknown, refused, r.clock.Now().Sub(began))
}

// settle notes what became of a row. What is unknown stays in the outbox; what is refused for good becomes an event of its saga, and
// leaves the outbox in that event's transaction: else a crash between the two would leave a saga that was never told (S6). reason is
// why something is unknown.
func (r *relay) settle(ctx context.Context, row OutboxRow, published []Published) (unknown, refused int, reason error) {
	s := Settled{Batch: row.Batch}
	for i, p := range published {
		switch p.Outcome {
		case PublishAcked:
			s.Acked = append(s.Acked, Acked{Index: row.Indexes[i], Partition: p.Partition, Offset: p.Offset, At: p.At, CommittedAt: row.CommittedAt})
		case PublishUnknown:
			s.Left = append(s.Left, row.Indexes[i])
			reason = p.Err
			unknown++
		case PublishRefused:
			refused++
			if row.Records[i].Kind == RecordCommand {
				s.Left = append(s.Left, row.Indexes[i])
			}
			r.refused(ctx, row, i, p.Err)
		}
	}
	if len(s.Left) < len(published) {
		r.acks.put(s)
	}
	return unknown, refused, reason
}

func (r *relay) refused(ctx context.Context, row OutboxRow, i int, cause error) {
	record := &row.Records[i]
	r.log.ErrorContext(ctx, "the broker refuses a record for good", "saga_id", record.Saga, "topic", record.Topic, "step", record.Step, "error", cause)
	if record.Kind != RecordCommand {
		return
	}
	verb := record.Verb
	if verb == saga.Probe {
		verb = saga.Execute
	}
	without := slices.Delete(slices.Clone(row.Indexes), i, i+1)
	err := r.intake.Put(ctx, laneReplies, &item{id: record.Saga, settled: &Settled{Batch: row.Batch, Left: without}, event: saga.Event{ID: row.Batch.String(), Body: saga.PublishRefused{
		Step: record.Step,
		Verb: verb, Edition: record.Edition, Attempt: record.Attempt, MaybeSent: row.MaybeSent, Message: cause.Error(),
	}}})
	if err != nil { // stopping: it stays in the outbox, and whoever sends it next tells its saga
		r.log.WarnContext(ctx, "a refused record is told to its saga later", "saga_id", record.Saga, "error", err)
	}
}

// acks holds what became of published rows until a transaction takes it along.
type acks struct {
	mu      sync.Mutex // guards settled
	settled []Settled
}

func (a *acks) put(s ...Settled) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = append(a.settled, s...)
}

func (a *acks) take() []Settled {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.settled
	a.settled = nil
	return s
}
