package sim

import (
	"context"
	"errors"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// publishFor bounds a call of Publish, as the relay's context does; virtual time has no contexts.
const publishFor = 8 * time.Second

// keepFor is how long a producer goes on trying what its caller gave up.
const keepFor = 15 * time.Second

var (
	errCutOff   = errors.New("not acknowledged in time")
	errLost     = errors.New("connection lost before the acknowledgement")
	errTooLarge = errors.New("record too large")
)

// replicaBroker is the broker as one replica reaches it.
type replicaBroker struct {
	k    *kafka
	r    *replica
	held []heldRecord
}

// broker is the broker for a replica that has just begun; what its last life had in hand is lost.
func (k *kafka) broker(r *replica) *replicaBroker {
	b := &replicaBroker{k: k, r: r}
	k.brokers[r] = b
	return b
}

// heldRecord is a record that was answered unknown and that the producer still has in hand.
type heldRecord struct {
	record orchestrator.Record
	until  time.Time
}

// Publish appends in order per partition. What cannot be reached is waited for, up to publishFor; beyond it the record is unknown,
// and the producer may still send it.
func (b *replicaBroker) Publish(_ context.Context, records []orchestrator.Record) []orchestrator.Published {
	w := b.k.w
	w.port(b.r, "kafka.publish")
	out := make([]orchestrator.Published, len(records))
	open := make([]int, len(records))
	for i := range open {
		open[i] = i
	}
	limit := w.now.Add(publishFor)
	for {
		var next time.Time
		open, next = b.try(records, open, out)
		if len(open) == 0 || !w.now.Before(limit) {
			break
		}
		if next.After(limit) {
			next = limit
		}
		w.wait(w.current, call{until: next})
	}
	for _, i := range open {
		out[i].Err = errCutOff
		b.k.oracle.unknown(&records[i])
		b.held = append(b.held, heldRecord{records[i], w.now.Add(keepFor - publishFor)})
	}
	b.planFlush()
	w.port(b.r, "kafka.published")
	return out
}

// try appends what can be reached and answers what is left, and when to try that.
func (b *replicaBroker) try(records []orchestrator.Record, open []int, out []orchestrator.Published) (left []int, next time.Time) {
	w := b.k.w
	for n, i := range open {
		r := &records[i]
		at := b.reachable(r)
		if at.After(w.now) {
			left = append(left, i)
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		b.flush()
		out[i] = b.send(r)
		if n == 0 && len(open) > 1 {
			w.port(b.r, "kafka.publishing")
		}
	}
	return left, next
}

// reachable is when the replica can append a record.
func (b *replicaBroker) reachable(r *orchestrator.Record) time.Time {
	at := b.k.reachable(r.Topic, r.Key)
	if b.r.noBroker.After(at) {
		at = b.r.noBroker
	}
	return at
}

// send is one record and what becomes of it.
func (b *replicaBroker) send(r *orchestrator.Record) orchestrator.Published {
	k, w := b.k, b.k.w
	if k.refuses(r) {
		k.oracle.refused(r)
		return orchestrator.Published{Outcome: orchestrator.PublishRefused, Err: errTooLarge}
	}
	switch {
	case w.hits(FaultRecordLost):
		k.oracle.unknown(r)
		return orchestrator.Published{Err: errLost}
	case w.hits(FaultRecordLate):
		k.oracle.unknown(r)
		late := *r
		w.after(time.Duration(w.nemesis.size(FaultRecordLate)*float64(20*time.Second)), func() { k.land(&late) })
		return orchestrator.Published{Err: errLost}
	}
	e := k.land(r)
	if w.hits(FaultRecordTwice) {
		k.land(r)
	}
	if w.hits(FaultAckLost) {
		k.oracle.unknown(r)
		return orchestrator.Published{Err: errLost}
	}
	return orchestrator.Published{Outcome: orchestrator.PublishAcked, Partition: e.record.Partition, Offset: e.record.Offset, At: w.now}
}

// land appends a record of an orchestrator, now or when its partition can be reached, and delivers it if it is a command.
func (k *kafka) land(r *orchestrator.Record) *entry {
	if at := k.reachable(r.Topic, r.Key); at.After(k.w.now) {
		k.w.after(at.Sub(k.w.now), func() { k.land(r) })
		return nil
	}
	record := wire.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: make([]wire.Header, len(r.Headers))}
	for i, h := range r.Headers {
		record.Headers[i] = wire.Header(h)
	}
	e := k.append(record, "")
	k.oracle.appended(r)
	if r.Kind == orchestrator.RecordCommand {
		k.w.oracle.sent(*r)
		k.w.actors.deliver(*r, e)
	}
	return e
}

// flush sends what was given up by its callers and is still in hand: before anything newer of the same partition.
func (b *replicaBroker) flush() {
	w := b.k.w
	held := b.held
	b.held = nil
	for i := range held {
		h := &held[i]
		switch {
		case b.k.brokers[b.r] != b || b.r.dead || !h.until.After(w.now):
		case b.reachable(&h.record).After(w.now):
			b.held = append(b.held, *h)
		default:
			b.k.land(&h.record)
		}
	}
}

// planFlush has what is in hand sent as soon as something of it can be.
func (b *replicaBroker) planFlush() {
	w := b.k.w
	for i := range b.held {
		if at := b.reachable(&b.held[i].record); at.Before(b.held[i].until) {
			w.after(at.Sub(w.now), b.flush)
		}
	}
}

// commandName names a command, whatever the attempt.
type commandName struct {
	saga    [16]byte
	step    string
	verb    string
	edition int
}

func nameOf(r *orchestrator.Record) commandName {
	return commandName{r.Saga, r.Step, string(r.Verb), r.Edition}
}

// told is the name under which a saga is told that it was refused: a probe asks for its execute.
func (n commandName) told() commandName {
	if n.verb == string(saga.Probe) {
		n.verb = string(saga.Execute)
	}
	return n
}

// refuses reports whether a topic refuses a record for good: some commands are too large for theirs, until somebody raises the
// limit.
func (k *kafka) refuses(r *orchestrator.Record) bool {
	if limit := k.topic(r.Topic).limit; limit > 0 && len(r.Key)+len(r.Value) > limit {
		return true
	}
	if r.Kind != orchestrator.RecordCommand || k.calm {
		return false
	}
	name := nameOf(r)
	large, known := k.tooLarge[name]
	if !known {
		large = k.w.hits(FaultTooLarge)
		k.tooLarge[name] = large
	}
	return large
}
