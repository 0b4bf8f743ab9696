package kafka

import (
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// Again implements orchestrator.Decoder. It shares key, value and headers with q.
func (c *Codec) Again(q orchestrator.Quarantined) (d orchestrator.Delivery, proven bool) {
	record := wire.Record{
		Topic: q.Topic, Partition: q.Partition, Offset: q.Offset, Timestamp: q.Timestamp,
		Key: q.Key, Value: q.Value, Headers: make([]wire.Header, len(q.Headers)),
	}
	for i, h := range q.Headers {
		record.Headers[i] = wire.Header(h)
	}
	reply, err := wire.DecodeReply(record)
	if !slices.ContainsFunc(q.Headers, func(h orchestrator.Header) bool { return h.Key == wire.HeaderSagaToken }) {
		// A record that came without a token is unproven, like one with a wrong token: that is not for the reader to judge.
		signed := record
		signed.Headers = append(slices.Clip(record.Headers), wire.Header{Key: wire.HeaderSagaToken, Value: []byte(tokenRedacted)})
		if r, e := wire.DecodeReply(signed); e == nil {
			reply, err = r, nil
		}
	}
	id := wire.CommandID(reply.SagaID, reply.Step, reply.Verb, reply.Edition)
	proven = c.keys.VerifySHA256(q.TokenSHA256, reply.Tenant, reply.SagaID, id, reply.Participant)
	d = orchestrator.Delivery{Saga: saga.ID(reply.SagaID), Tenant: reply.Tenant, Raw: q}
	if reason, message := judge(&record, &reply, err, nil); reason != "" {
		poison := q
		poison.Reason, poison.Message = reason, message
		d.Poison = &poison
		return d, proven
	}
	d.ID = reply.ID.String()
	d.Reply = replied(&reply, saga.Coordinates{Topic: q.Topic, Partition: q.Partition, Offset: q.Offset})
	return d, proven
}
