package load

import (
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/skaldhq/skald/api/client"
)

// Result is what a run came to.
type Result struct {
	// Took is the measured span; shorter than asked for where the run was interrupted, 0 where that was before it began.
	Took time.Duration
	// Started is how many were accepted since the run began, before the span and behind it too.
	Started int64
	// Accepted and Ended are counted within the span: of a closed loop what happened within it, of an open loop what became
	// of the starts that were due within it, until the run was over.
	Accepted int64
	Ended    map[client.Status]int64
	// Refused are starts that got no saga, by the server's code, or "transport" where no answer came.
	Refused map[string]int64
	// FirstRefusal is the error of one of them; nil: none.
	FirstRefusal error
	// Unfinished are the sagas that had not ended when the run was over.
	Unfinished int64
	// LeftOut are starts of an open loop that were not sent, because too many sagas were under way.
	LeftOut int64

	// ToAccepted is the time until a start was answered, ToEnded until the saga's end was learned of; both from the request of a
	// closed loop, from the time the start was due of an open one.
	ToAccepted, ToEnded Latency
	// SentLate is how late an open loop sent its starts: the part of both that is the driver's own.
	SentLate Latency

	Interrupted bool
}

// AllEnded is how many ended within the span, in whatever way.
func (r *Result) AllEnded() int64 {
	var n int64
	for _, each := range r.Ended {
		n += each
	}
	return n
}

// PerSecond is how many sagas ended in a second. Of an open loop that hardly says more than the rate that was asked for.
func (r *Result) PerSecond() float64 {
	if r.Took <= 0 {
		return 0
	}
	return float64(r.AllEnded()) / r.Took.Seconds()
}

// Latency is a distribution; its values are exact to a thousandth.
type Latency struct {
	Count              int64
	P50, P95, P99, Max time.Duration
}

// Progress is where a run is.
type Progress struct {
	Phase    string // "first", "warm-up", "measuring", "draining"
	Elapsed  time.Duration
	Of       time.Duration // of the phase; 0: nobody knows
	Accepted int64         // since the run began
	Ended    int64
	Refused  int64
	InFlight int64
	Recent   float64 // sagas that ended in a second, of late
	P50      time.Duration
}

const (
	lowest  = 1               // microsecond
	highest = 3_600_000_000   // an hour
	digits  = 3               // significant ones
	recent  = 2 * time.Second // over which Progress.Recent is taken
	tick    = time.Second / 5 // of Progress
	refusal = "transport"     // code of a start that got no answer
	retryIn = 10 * time.Millisecond
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), lowest), highest)) // only a value out of bounds fails
}

func latency(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) * time.Microsecond }
	return Latency{Count: h.TotalCount(), P50: at(50), P95: at(95), P99: at(99), Max: time.Duration(h.Max()) * time.Microsecond}
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}
