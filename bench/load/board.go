package load

import (
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/skaldhq/skald/api/client"
)

// earlyMost bounds how many ends are kept whose start has not been answered yet: most of them are of other sagas.
const earlyMost = 100_000

// flight is a saga that was accepted and has not ended.
type flight struct {
	began   time.Time
	counted bool                 // an open loop's start that was due in the measured span
	first   bool                 // one that opens the run, never counted
	done    chan<- client.Status // room for one; nil: nobody waits
}

// board knows what is in flight and keeps the figures.
type board struct {
	open bool // an open loop

	mu        sync.Mutex // guards what follows
	live      map[string]*flight
	early     map[string]ending // ends that came before the answer to their start
	older     map[string]ending // the generation before
	measuring bool
	accepted  int64 // since the run began
	ended     int64
	refused   int64
	result    Result

	toAccepted, toEnded, sentLate *hdrhistogram.Histogram
}

type ending struct {
	status client.Status
	at     time.Time
}

func newBoard(open bool) *board {
	return &board{
		open: open, live: map[string]*flight{}, early: map[string]ending{}, older: map[string]ending{},
		result:     Result{Ended: map[client.Status]int64{}, Refused: map[string]int64{}},
		toAccepted: newHistogram(), toEnded: newHistogram(), sentLate: newHistogram(),
	}
}

// measure begins or ends the measured span.
func (b *board) measure(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.measuring = on
}

// accept puts a started saga on the board. Its end may have come before.
func (b *board) accept(started Started, f *flight, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted++
	if b.countsLocked(f) {
		b.result.Accepted++
		if !started.Status.Terminal() { // else the answer is that to the end
			record(b.toAccepted, at.Sub(f.began))
		}
	}
	end, known := b.earlyLocked(started.ID)
	if started.Status.Terminal() {
		end, known = ending{started.Status, at}, true
	}
	if known {
		b.finishLocked(f, end)
		return
	}
	b.live[started.ID] = f
}

func (b *board) countsLocked(f *flight) bool {
	if f.first {
		return false
	}
	if b.open {
		return f.counted
	}
	return b.measuring
}

func (b *board) earlyLocked(id string) (ending, bool) {
	for _, m := range []map[string]ending{b.early, b.older} {
		if end, ok := m[id]; ok {
			delete(m, id)
			return end, true
		}
	}
	return ending{}, false
}

// end takes note of an end, of whichever saga.
func (b *board) end(id string, status client.Status) {
	if !status.Terminal() {
		return
	}
	at := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok := b.live[id]
	if !ok { // not answered yet, told before, or somebody else's
		if len(b.early) >= earlyMost/2 {
			b.early, b.older = map[string]ending{}, b.early
		}
		b.early[id] = ending{status, at}
		return
	}
	delete(b.live, id)
	b.finishLocked(f, ending{status, at})
}

func (b *board) finishLocked(f *flight, end ending) {
	b.ended++
	if b.countsLocked(f) {
		b.result.Ended[end.status]++
		record(b.toEnded, end.at.Sub(f.began))
	}
	if f.done != nil {
		f.done <- end.status
	}
}

// refuse counts a start that got no saga.
func (b *board) refuse(f *flight, err error) {
	code := refusal
	var answer *client.Error
	if errors.As(err, &answer) {
		code = answer.Code
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused++
	if b.countsLocked(f) {
		b.result.Refused[code]++
	}
	if b.result.FirstRefusal == nil {
		b.result.FirstRefusal = err
	}
}

// leaveOut counts a start that was not sent.
func (b *board) leaveOut(counted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if counted {
		b.result.LeftOut++
	}
}

// sent notes how late an open loop was.
func (b *board) sent(late time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	record(b.sentLate, late)
}

func (b *board) inFlight() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.live)
}

// close makes the result. What an open loop has still under way counts with the time that it has taken so far.
func (b *board) close(took time.Duration, interrupted bool) Result {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.live {
		if f.first || b.open && !f.counted {
			continue
		}
		b.result.Unfinished++
		if b.open {
			record(b.toEnded, now.Sub(f.began))
		}
	}
	r := b.result
	r.Ended, r.Refused = clone(r.Ended), clone(r.Refused)
	r.ToAccepted, r.ToEnded, r.SentLate = latency(b.toAccepted), latency(b.toEnded), latency(b.sentLate)
	r.Took, r.Started, r.Interrupted = took, b.accepted, interrupted
	return r
}

// counts are those of Progress.
func (b *board) counts() (accepted, ended, refused, inFlight int64, p50 time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.toEnded.TotalCount() > 0 {
		p50 = time.Duration(b.toEnded.ValueAtQuantile(50)) * time.Microsecond
	}
	return b.accepted, b.ended, b.refused, int64(len(b.live)), p50
}
