package kafka

import (
	"sync"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator/internal/watermark"
)

// claim is one partition while one generation of the group has it. It knows what was read and what of it is dealt with.
type claim struct {
	topic     string
	partition int32
	session   sarama.ConsumerGroupSession
	room      chan struct{} // gets a token when there is room again
	skipped   chan struct{} // closed when reading must begin anew behind what was skipped

	order sync.Mutex // held while a record is handed on, so that records keep their order

	mu      sync.Mutex // guards the rest
	low     *watermark.Low
	skipTo  int64 // 0: nothing is skipped
	out     int   // handed to the engine, not marked
	idle    chan struct{}
	revoked bool // nothing more is handed out
	gone    bool // marks are ignored
}

// ack is what a Delivery carries for Mark.
type ack struct {
	claim  *claim
	offset int64
}

func newClaim(cfg *Config, session sarama.ConsumerGroupSession, topic string, partition int32, first int64) *claim {
	return &claim{
		topic: topic, partition: partition, session: session, low: watermark.New(first, cfg.maxAhead, cfg.maxBytes),
		room: make(chan struct{}, 1), skipped: make(chan struct{}),
	}
}

// add notes a record that was read; false if it, or one behind it, was read before.
func (c *claim) add(offset int64, bytes int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.low.Add(offset, bytes)
}

// position is the offset to be read next; below zero: the oldest.
func (c *claim) position() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.low.Next()
}

// pass moves the position on, over offsets that hold nothing to be read.
func (c *claim) pass(next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.low.Pass(next)
}

// skip has reading begin anew once everything before next is marked.
func (c *claim) skip(next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipTo = next
}

// full reports whether reading on must wait for marks; room then gets a token when it need not any more.
func (c *claim) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.low.Full()
}

// take reports whether a record may go to the engine: not when its partition was taken away meanwhile.
func (c *claim) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revoked {
		return false
	}
	c.out++
	return true
}

// mark says that a record is dealt with. When it was the lowest, the session learns the next lowest unmarked offset, which
// is committed soon (S18). A second mark of the same record changes nothing.
func (c *claim) mark(offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	wasFull := c.low.Full()
	next, first := c.low.Mark(offset)
	if !first {
		return
	}
	c.out--
	if c.out == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	if next > 0 {
		c.session.MarkOffset(c.topic, c.partition, next, "")
		if c.skipTo != 0 && next >= c.skipTo {
			c.skipTo = 0
			close(c.skipped)
		}
	}
	if wasFull && !c.low.Full() {
		select {
		case c.room <- struct{}{}:
		default:
		}
	}
}

// revoke ends handing out.
func (c *claim) revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked = true
}

// settled answers a channel that closes when all that was handed out is marked.
func (c *claim) settled() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := make(chan struct{})
	if c.out == 0 {
		close(idle)
	} else {
		c.idle = idle
	}
	return idle
}

// end makes all later marks void: another member may have the partition.
func (c *claim) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	c.low.Forget()
}
