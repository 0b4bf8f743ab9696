// Package watermark knows, for one partition, what was read and what of it is dealt with: the offset below which everything is
// (S18). The Kafka adapter and the simulated broker both commit by it.
package watermark

import (
	"cmp"
	"slices"
)

// Low is the low-watermark of one partition. It is not safe for concurrent use.
type Low struct {
	maxAhead int
	maxBytes int
	next     int64     // the offset to be read next; below zero: the oldest
	read     []reading // ascending by offset; the first is the lowest that is not marked
	bytes    int       // of the unmarked
}

type reading struct {
	offset int64
	bytes  int
	marked bool
}

// New returns a watermark of a partition that is read from first; below zero stands for the oldest. It is full with maxAhead
// records, or maxBytes bytes, at and beyond the lowest unmarked one.
func New(first int64, maxAhead, maxBytes int) *Low {
	return &Low{next: first, maxAhead: maxAhead, maxBytes: maxBytes}
}

// Add notes a record that was read; false if it, or one behind it, was read before.
func (l *Low) Add(offset int64, bytes int) bool {
	if offset < l.next {
		return false
	}
	l.read = append(l.read, reading{offset: offset, bytes: bytes})
	l.bytes += bytes
	l.next = offset + 1
	return true
}

// Next is the offset to be read next; below zero: the oldest.
func (l *Low) Next() int64 { return l.next }

// Lowest is the lowest offset that is not dealt with; Next where everything that was read is.
func (l *Low) Lowest() int64 {
	for _, r := range l.read {
		if !r.marked {
			return r.offset
		}
	}
	return l.next
}

// Pass moves the reading on to next, over offsets that hold nothing to be read. It never moves back.
func (l *Low) Pass(next int64) { l.next = max(l.next, next) }

// Full reports whether reading on must wait for marks.
func (l *Low) Full() bool { return len(l.read) >= l.maxAhead || l.bytes >= l.maxBytes }

// Mark says that a record is dealt with; false if it is not one that was read, or was marked before. When it was the lowest,
// to is the next lowest unmarked offset, which may be committed; else 0.
func (l *Low) Mark(offset int64) (to int64, first bool) {
	at, found := slices.BinarySearchFunc(l.read, offset, func(r reading, offset int64) int { return cmp.Compare(r.offset, offset) })
	if !found || l.read[at].marked {
		return 0, false
	}
	l.read[at].marked = true
	l.bytes -= l.read[at].bytes
	done := 0
	for done < len(l.read) && l.read[done].marked {
		done++
	}
	if done > 0 {
		to = l.read[done-1].offset + 1
		l.read = l.read[done:]
	}
	return to, true
}

// Forget drops everything that was read: no later mark is of a record that is known.
func (l *Low) Forget() { l.read, l.bytes = nil, 0 }
