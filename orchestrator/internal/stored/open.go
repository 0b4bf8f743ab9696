package stored

import (
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// OpenBatches lists the batches of the saga's open commands, sorted, each once; nil: none.
func OpenBatches(in *saga.Instance) []saga.BatchID {
	var ids []saga.BatchID
	for _, leg := range in.Open() {
		if !leg.Batch.IsZero() {
			ids = append(ids, leg.Batch)
		}
	}
	slices.SortFunc(ids, CompareBatches)
	return slices.Compact(ids)
}

// Published is what is known of a batch's records.
type Published struct {
	Left  []int32 // indexes still in the outbox; nil: the row is gone
	Acked map[int]orchestrator.Acked
}

// Sent says what is known of the newest attempt of each open command; batches that are not listed are known of nothing.
func Sent(in *saga.Instance, batches map[saga.BatchID]Published) []saga.Sent {
	var sent []saga.Sent
	for _, leg := range in.Open() {
		p := batches[leg.Batch]
		ack := p.Acked[leg.Index]
		sent = append(sent, saga.Sent{
			Step:        leg.Step,
			Verb:        leg.Verb,
			Unpublished: slices.Contains(p.Left, int32(leg.Index)),
			AckedAt:     ack.At,
			Partition:   ack.Partition,
			Offset:      ack.Offset,
		})
	}
	return sent
}

// CompareBatches orders batches by their bytes, which is by time.
func CompareBatches(a, b saga.BatchID) int { return slices.Compare(a[:], b[:]) }

// CompareIDs orders sagas by their bytes, which is by time.
func CompareIDs(a, b saga.ID) int { return slices.Compare(a[:], b[:]) }

// HistoryEntry joins a fact with the receipt of its command.
func HistoryEntry(fact saga.Fact, batch saga.BatchID, acks map[int]orchestrator.Acked) orchestrator.HistoryEntry {
	entry := orchestrator.HistoryEntry{Fact: fact, Batch: batch}
	if a, ok := acks[fact.Index]; ok && !fact.Batch.IsZero() {
		entry.Receipt = &orchestrator.Receipt{Partition: a.Partition, Offset: a.Offset, At: a.At, CommittedAt: a.CommittedAt}
	}
	return entry
}
