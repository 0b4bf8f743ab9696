package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
	engine "github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

const partitions = 3

// kafka is the broker: command topics that deliver to participants, and the reply topic that replicas read as a group.
type kafka struct {
	w          *world
	codec      *engine.Codec
	replies    [partitions]replyLog
	generation int
	offsets    map[string]int64 // next offset of each command topic
}

// replyLog is one partition of the reply topic and the group's place in it.
type replyLog struct {
	records  []wire.Record
	owner    *replica // nil: nobody
	position int64    // next to be fetched by the owner
	marked   map[int64]bool
	offset   int64 // committed
}

func newKafka(w *world) *kafka {
	ring, err := wire.ParseKeyring("k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		panic(err)
	}
	return &kafka{w: w, codec: engine.NewCodec(wire.Topics{}, "sim", ring), offsets: map[string]int64{}}
}

// rebalance deals the partitions out to the living, who go on from what is committed: what was fetched and not marked comes again.
func (k *kafka) rebalance() {
	k.generation++
	var alive []*replica
	for _, r := range k.w.replicas {
		if !r.away() {
			alive = append(alive, r)
		}
	}
	for i := range k.replies {
		p := &k.replies[i]
		p.owner, p.position, p.marked = nil, p.offset, map[int64]bool{}
		if len(alive) > 0 {
			p.owner = alive[(i+k.generation)%len(alive)]
		}
	}
}

// reply appends a record to the reply topic.
func (k *kafka) reply(r wire.Record) {
	p := &k.replies[int(wire.ID(mustID(r.Key))[0]^wire.ID(mustID(r.Key))[15])%partitions]
	r.Partition, r.Offset = int32(int(wire.ID(mustID(r.Key))[0]^wire.ID(mustID(r.Key))[15])%partitions), int64(len(p.records))
	p.records = append(p.records, r)
}

func mustID(key []byte) wire.ID {
	id, err := wire.ParseID(string(key))
	if err != nil {
		panic(err)
	}
	return id
}

// replicaBroker is the broker as one replica reaches it.
type replicaBroker struct {
	k *kafka
	r *replica
}

func (b *replicaBroker) Publish(_ context.Context, records []orchestrator.Record) []orchestrator.Published {
	w := b.k.w
	w.port(b.r, "kafka.publish")
	out := make([]orchestrator.Published, len(records))
	for i, r := range records {
		if b.r.noBroker.After(w.now) || w.hits(FaultRecordLost) {
			out[i].Err = errConnection
			continue
		}
		times := 1
		if w.hits(FaultRecordTwice) {
			times = 2
		}
		var offset int64
		for range times {
			offset = b.k.offsets[r.Topic]
			b.k.offsets[r.Topic]++
			if r.Kind == orchestrator.RecordCommand {
				w.oracle.sent(r)
				w.actors.deliver(r)
			}
		}
		if w.hits(FaultAckLost) {
			out[i].Err = errors.New("acknowledgement lost")
			continue
		}
		out[i] = orchestrator.Published{Outcome: orchestrator.PublishAcked, Offset: offset, At: w.now}
	}
	w.port(b.r, "kafka.published")
	return out
}

func (b *replicaBroker) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	w := b.k.w
	w.wait(w.current, call{until: w.now.Add(time.Second), ready: b.some, ctx: ctx})
	w.port(b.r, "kafka.fetch")
	var out []orchestrator.Delivery
	for i := range b.k.replies {
		p := &b.k.replies[i]
		for p.owner == b.r && !b.r.noBroker.After(b.k.w.now) && p.position < int64(len(p.records)) && len(out) < 32 {
			r := p.records[p.position]
			p.position++
			msg := &sarama.ConsumerMessage{Topic: "skald.replies", Partition: int32(i), Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
			for _, h := range r.Headers {
				msg.Headers = append(msg.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
			}
			d := b.k.codec.Decode(msg)
			d.Ack = mark{b.k.generation, i, r.Offset}
			out = append(out, d)
		}
	}
	return out, nil
}

func (b *replicaBroker) some() bool {
	for i := range b.k.replies {
		if p := &b.k.replies[i]; p.owner == b.r && !b.r.noBroker.After(b.k.w.now) && p.position < int64(len(p.records)) {
			return true
		}
	}
	return false
}

type mark struct {
	generation, partition int
	offset                int64
}

func (b *replicaBroker) Mark(deliveries []orchestrator.Delivery) {
	b.k.w.port(b.r, "kafka.mark")
	for _, d := range deliveries {
		m, ok := d.Ack.(mark)
		if !ok {
			b.k.w.violate("S18", "a delivery was marked that nobody fetched: %v", fmt.Sprint(d.Ack))
			return
		}
		if m.generation != b.k.generation {
			continue // a zombie of an older assignment
		}
		p := &b.k.replies[m.partition]
		p.marked[m.offset] = true
		for p.marked[p.offset] {
			delete(p.marked, p.offset)
			p.offset++
		}
	}
}

// unread is how many replies nobody has dealt with.
func (k *kafka) unread() int {
	n := 0
	for i := range k.replies {
		n += len(k.replies[i].records) - int(k.replies[i].offset)
	}
	return n
}
