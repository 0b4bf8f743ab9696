package kafka

import (
	"cmp"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// claim is one partition while one generation of the group has it. It knows what was read and what of it is dealt with.
type claim struct {
	topic     string
	partition int32
	session   sarama.ConsumerGroupSession
	maxAhead  int
	maxBytes  int
	room      chan struct{} // gets a token when there is room again
	skipped   chan struct{} // closed when reading must begin anew behind what was skipped

	order sync.Mutex // held while a record is handed on, so that records keep their order

	mu      sync.Mutex // guards the rest
	next    int64      // the offset to be read next; below zero: the oldest
	skipTo  int64      // 0: nothing is skipped
	read    []reading  // ascending by offset; the first is the lowest that is not marked
	bytes   int        // of the unmarked
	out     int        // handed to the engine, not marked
	idle    chan struct{}
	revoked bool // nothing more is handed out
	gone    bool // marks are ignored
}

type reading struct {
	offset int64
	bytes  int
	marked bool
}

// ack is what a Delivery carries for Mark.
type ack struct {
	claim  *claim
	offset int64
}

func newClaim(cfg *Config, session sarama.ConsumerGroupSession, topic string, partition int32, first int64) *claim {
	return &claim{
		topic: topic, partition: partition, session: session, next: first,
		maxAhead: cfg.maxAhead, maxBytes: cfg.maxBytes, room: make(chan struct{}, 1), skipped: make(chan struct{}),
	}
}

// add notes a record that was read; false if it, or one behind it, was read before.
func (c *claim) add(offset int64, bytes int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if offset < c.next {
		return false
	}
	c.read = append(c.read, reading{offset: offset, bytes: bytes})
	c.bytes += bytes
	c.next = offset + 1
	return true
}

// position is the offset to be read next; below zero: the oldest.
func (c *claim) position() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// pass moves the position on, over offsets that hold nothing to be read.
func (c *claim) pass(next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = max(c.next, next)
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
	return c.fullLocked()
}

func (c *claim) fullLocked() bool {
	return len(c.read) >= c.maxAhead || c.bytes >= c.maxBytes
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
	at, found := slices.BinarySearchFunc(c.read, offset, func(r reading, offset int64) int { return cmp.Compare(r.offset, offset) })
	if !found || c.read[at].marked {
		return
	}
	wasFull := c.fullLocked()
	c.read[at].marked = true
	c.bytes -= c.read[at].bytes
	c.out--
	if c.out == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	done := 0
	for done < len(c.read) && c.read[done].marked {
		done++
	}
	if done > 0 {
		next := c.read[done-1].offset + 1
		c.read = c.read[done:]
		c.session.MarkOffset(c.topic, c.partition, next, "")
		if c.skipTo != 0 && next >= c.skipTo {
			c.skipTo = 0
			close(c.skipped)
		}
	}
	if wasFull && !c.fullLocked() {
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
	c.read = nil
}
