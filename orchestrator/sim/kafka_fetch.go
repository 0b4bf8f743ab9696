package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

// fetchMost bounds one answer of Fetch.
const fetchMost = 32

// handed is what a delivery carries for Mark.
type handed struct {
	claim *claim
	entry *entry
}

// Fetch answers what the replica's partitions hold and was not handed out in this session; none after a second.
func (b *replicaBroker) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	w := b.k.w
	w.wait(w.current, call{until: w.now.Add(time.Second), ready: b.some, ctx: ctx})
	w.port(b.r, "kafka.fetch")
	if w.hits(FaultFetchFails) {
		return nil, fmt.Errorf("fetch: %w", errConnection)
	}
	var out []orchestrator.Delivery
	for _, c := range b.claims() {
		if !b.readable(c) {
			continue
		}
		p := &b.k.replies.partitions[c.partition]
		if next := c.low.Next(); next < p.start || next > p.end() {
			b.k.group.revoke(c.s.m) // the log does not have it: the next generation begins where there is something
			break
		}
		for c.low.Next() < p.end() && !c.low.Full() && len(out) < fetchMost {
			e := p.at(c.low.Next())
			c.low.Add(e.record.Offset, len(e.record.Value))
			c.s.out++
			d := b.k.codec.Decode(message(&e.record))
			b.k.oracle.handedOut(b.r, e, d.Saga)
			d.Ack = &handed{c, e}
			out = append(out, d)
		}
	}
	return out, nil
}

// claims are the partitions that the replica thinks it has; a zombie reads on.
func (b *replicaBroker) claims() []*claim {
	m := b.k.group.of[b.r]
	if m == nil || m.session == nil || m.session.revoked {
		return nil
	}
	return m.session.claims
}

func (b *replicaBroker) readable(c *claim) bool {
	return !b.k.away.After(b.k.w.now) && !b.r.noBroker.After(b.k.w.now) && !b.k.replies.partitions[c.partition].leaderless.After(b.k.w.now)
}

func (b *replicaBroker) some() bool {
	for _, c := range b.claims() {
		p := &b.k.replies.partitions[c.partition]
		if next := c.low.Next(); b.readable(c) && (next > p.end() || next < p.end() && !c.low.Full()) {
			return true
		}
	}
	return false
}

func message(r *wire.Record) *sarama.ConsumerMessage {
	msg := &sarama.ConsumerMessage{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: make([]*sarama.RecordHeader, len(r.Headers)),
	}
	for i, h := range r.Headers {
		msg.Headers[i] = &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value}
	}
	return msg
}

// Mark moves the low-watermark of each claim; marks of a session that is over are ignored.
func (b *replicaBroker) Mark(deliveries []orchestrator.Delivery) {
	b.k.w.port(b.r, "kafka.mark")
	for i := range deliveries {
		if start, ok := deliveries[i].Ack.(*handedStart); ok {
			b.k.w.outside.marked(start)
			continue
		}
		h, ok := deliveries[i].Ack.(*handed)
		if !ok {
			b.k.w.violate("S18", "a delivery was marked that nobody fetched: %v", deliveries[i].Ack)
			return
		}
		b.k.oracle.marked(h.entry, &deliveries[i])
		s := h.claim.s
		if s.ended {
			continue
		}
		to, first := h.claim.low.Mark(h.entry.record.Offset)
		if first {
			s.out--
		}
		if to > 0 {
			h.claim.marked = to
			b.k.group.planCommit(s)
		}
	}
}
