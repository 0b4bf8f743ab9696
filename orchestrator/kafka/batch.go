package kafka

import (
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
)

// batch gathers the results of one call of send. Results that come after the call has ended are dropped.
type batch struct {
	done chan struct{} // closed when all results are there

	mu      sync.Mutex // guards the rest
	results []orchestrator.Published
	left    int
	ended   bool
}

// slot is the metadata of a message: whose result it is. Its pointer is all that ties a result to its record.
type slot struct {
	batch *batch
	index int
}

func newBatch(size int) *batch {
	b := &batch{done: make(chan struct{}), results: make([]orchestrator.Published, size), left: size}
	if size == 0 {
		close(b.done)
	}
	return b
}

func (s *slot) acked(msg *sarama.ProducerMessage) {
	s.batch.set(s.index, orchestrator.Published{
		Outcome: orchestrator.PublishAcked, Partition: msg.Partition, Offset: msg.Offset, At: time.Now(),
	})
}

func (s *slot) failed(err error) { s.batch.set(s.index, unknown(err)) }

func (b *batch) set(index int, result orchestrator.Published) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.results[index] = result
	if b.left--; b.left == 0 {
		close(b.done)
	}
}

// end returns the results; those that are missing are unknown, because of err.
func (b *batch) end(err error) []orchestrator.Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for i := range b.results {
		if b.results[i].Outcome == orchestrator.PublishUnknown && b.results[i].Err == nil {
			b.results[i].Err = err
		}
	}
	return b.results
}
