package brokertest

import (
	"strconv"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// SagaID is the n-th saga of a test.
func SagaID(n int) saga.ID {
	return saga.NewID(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), uint16(n), uint64(n)*0x9e3779b97f4a7c15)
}

// Command is a command of the step reserve-items, whose replies keys can verify.
func Command(keys *wire.Keyring, id saga.ID) wire.Command {
	sagaID := wire.ID(id)
	commandID := wire.CommandID(sagaID, "reserve-items", wire.Execute, 0)
	return wire.Command{
		ID: commandID, Participant: "inventory", Name: "ReserveItems.v1", SagaID: sagaID, Step: "reserve-items", Verb: wire.Execute,
		Tenant: "default", Attempt: 1, Token: keys.Sign("default", sagaID, commandID, "inventory"), CorrelationID: "A-1",
	}
}

// Reply is the record of a good reply to a saga's Command.
func Reply(keys *wire.Keyring, topics wire.Topics, id saga.ID, attempt int) wire.Record {
	command := Command(keys, id)
	command.Attempt = attempt
	r := wire.ReplyTo(&command, wire.RandomID(), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	r.Outcome = wire.Succeeded
	r.Value = []byte(`{"ok":true}`)
	return r.Record(topics.Replies())
}

// replies are good replies of one saga, and so of one partition: to attempts 1 to n.
func (s *suite) replies(id saga.ID, n int) []wire.Record {
	list := make([]wire.Record, n)
	for i := range list {
		list[i] = Reply(s.Keys, s.Topics, id, i+1)
	}
	return list
}

// record is a small record for the events' topic.
func (s *suite) record(key saga.ID, value int) orchestrator.Record {
	return orchestrator.Record{Kind: orchestrator.RecordEvent, Topic: s.Topics.Events(), Key: []byte(key.String()), Value: []byte(strconv.Itoa(value)), Saga: key}
}

// elsewhere is a saga whose key is not of the same partition.
func elsewhere(id saga.ID) saga.ID {
	other := SagaID(1000)
	for n := 1001; partition(other) == partition(id); n++ {
		other = SagaID(n)
	}
	return other
}

func partition(id saga.ID) int32 { return wire.Partition([]byte(id.String()), Partitions) }

func attempts(list []orchestrator.Delivery) []int {
	out := make([]int, len(list))
	for i, d := range list {
		out[i] = d.Reply.Attempt
	}
	return out
}

// values are the values of records, by key, in order.
func values(records []wire.Record) map[string][]string {
	out := map[string][]string{}
	for _, r := range records {
		out[string(r.Key)] = append(out[string(r.Key)], string(r.Value))
	}
	return out
}

func outcomes(list []orchestrator.Published) []orchestrator.PublishOutcome {
	out := make([]orchestrator.PublishOutcome, len(list))
	for i, p := range list {
		out[i] = p.Outcome
	}
	return out
}
