package kafka

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// A batch that sarama cannot unpack (a bomb, or damaged bytes) fails the whole answer of a broker, again and again: one such
// batch would end the reading of all partitions there. The broker itself refuses bombs on topics that are made by Ensure;
// what gets through all the same is looked for, partition by partition, handed on as poison, and read past once that is
// marked (L5).

// inspector looks for unreadable batches in the claims of a handler, one search at a time.
type inspector struct {
	handler *handler
	turn    sync.Mutex // held while searching
	wg      sync.WaitGroup
}

// unpackFailed reports whether err is about the content of an answer, not about the connection.
func unpackFailed(err error) bool {
	var decoding sarama.PacketDecodingError
	return errors.Is(err, sarama.ErrDecompressedBatchTooLarge) || errors.As(err, &decoding)
}

// look starts a search, unless one is running.
func (i *inspector) look(err error) {
	if !unpackFailed(err) || !i.turn.TryLock() {
		return
	}
	i.wg.Go(func() {
		defer i.turn.Unlock()
		i.handler.mu.Lock()
		claims := i.handler.claims
		i.handler.mu.Unlock()
		for _, c := range claims {
			if err := i.search(c); err != nil {
				i.handler.consumer.cfg.Log.Warn("Search for an unreadable batch failed", "partition", c.partition, "error", err)
			}
		}
	})
}

// search reads on where a claim's reading stands, batch by batch: sarama fetches many at once and gives none of them if one
// cannot be unpacked. It ends behind the first such batch, at the partition's end, or when marks are waited for.
func (i *inspector) search(c *claim) error {
	for !c.full() {
		from := c.position()
		if from < 0 {
			oldest, err := i.handler.client.GetOffset(c.topic, c.partition, sarama.OffsetOldest)
			if err != nil {
				return err
			}
			from = oldest
		}
		block, cause, err := i.probe(c, from)
		switch {
		case err != nil:
			return err
		case cause != nil:
			return i.skip(c, from, cause)
		}
		more := false
		for _, records := range block.RecordsSet {
			batch := records.RecordBatch
			if batch == nil || batch.PartialTrailingRecord || batch.LastOffset() < from {
				continue
			}
			more = true
			if err := i.give(c, batch, dropped(block, batch)); err != nil {
				return nil // the session is over
			}
		}
		if !more {
			return nil
		}
	}
	return nil
}

// give hands on what a batch holds, and moves the claim behind it.
func (i *inspector) give(c *claim, batch *sarama.RecordBatch, drop bool) error {
	for _, r := range batch.Records {
		if drop {
			break
		}
		err := i.handler.read(c, &sarama.ConsumerMessage{
			Topic: c.topic, Partition: c.partition, Offset: batch.FirstOffset + r.OffsetDelta,
			Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: batch.FirstTimestamp.Add(r.TimestampDelta),
		})
		if err != nil {
			return err
		}
	}
	c.pass(batch.LastOffset() + 1)
	return nil
}

// dropped reports whether a batch holds nothing for readers: a marker of a transaction, or one that was aborted.
func dropped(block *sarama.FetchResponseBlock, batch *sarama.RecordBatch) bool {
	return batch.Control || batch.IsTransactional && slices.ContainsFunc(block.AbortedTransactions, func(t *sarama.AbortedTransaction) bool {
		return t.ProducerID == batch.ProducerID && t.FirstOffset <= batch.LastOffset()
	})
}

// skip hands on a batch that cannot be unpacked, by its place. Reading begins anew behind it once that is marked.
func (i *inspector) skip(c *claim, from int64, cause error) error {
	// Every offset of a batch brings the whole batch, so the first that can be read is the next batch's.
	next := from + 1
	for ; ; next++ {
		_, more, err := i.probe(c, next)
		if err != nil {
			return err
		}
		if more == nil {
			break
		}
	}
	raw := orchestrator.Quarantined{Topic: c.topic, Partition: c.partition, Offset: from}
	poison := raw
	poison.Reason = ReasonUnreadable
	poison.Message = fmt.Sprintf("the records at offsets %d to %d cannot be unpacked: %v", from, next-1, cause)
	d := orchestrator.Delivery{
		Poison: &poison, Raw: raw,
		Reply: saga.Replied{Record: saga.Coordinates{Topic: c.topic, Partition: c.partition, Offset: from}},
	}
	i.handler.consumer.cfg.Log.Error("Unreadable records are passed over", "topic", c.topic, "partition", c.partition,
		"from", from, "to", next-1, "error", cause)
	c.skip(next)
	_ = i.handler.hand(c, d, next-1, 0) // an error: the session is over, and the next one finds the batch again
	return nil
}

// probe fetches the one batch at an offset: cause is set when it cannot be unpacked, err when nothing can be said.
func (i *inspector) probe(c *claim, offset int64) (block *sarama.FetchResponseBlock, cause, err error) {
	broker, err := i.handler.client.Leader(c.topic, c.partition)
	if err != nil {
		return nil, nil, err
	}
	request := &sarama.FetchRequest{Version: 11, MaxBytes: 1, SessionEpoch: -1, Isolation: sarama.ReadCommitted}
	request.AddBlock(c.topic, c.partition, offset, 1, -1) // one byte: a batch comes whole, but no second one
	response, err := broker.Fetch(request)
	switch {
	case unpackFailed(err):
		return nil, err, nil
	case err != nil:
		return nil, nil, err
	}
	block = response.GetBlock(c.topic, c.partition)
	if block == nil {
		return nil, nil, sarama.ErrIncompleteResponse
	}
	if !errors.Is(block.Err, sarama.ErrNoError) && !errors.Is(block.Err, sarama.ErrOffsetOutOfRange) {
		return nil, nil, block.Err
	}
	return block, nil, nil
}
