package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates is a token bucket per tenant and principal. The zero rate lets everything pass.
type rates struct {
	perSecond float64
	burst     int

	mu      sync.Mutex // guards buckets
	buckets map[string]*rate.Limiter
}

func newRates(perSecond float64) *rates {
	return &rates{perSecond: perSecond, burst: max(1, int(2*perSecond)), buckets: map[string]*rate.Limiter{}}
}

// allow takes a token, or says how long to wait for one.
func (r *rates) allow(p Principal, now time.Time) (time.Duration, bool) {
	if r.perSecond <= 0 {
		return 0, true
	}
	reservation := r.bucket(p.Tenant+"\x00"+p.Name).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return 0, true
	}
	reservation.CancelAt(now)
	return wait, false
}

// bucket is a principal's. There are as many as authenticated principals; a full map starts again, which only forgets who was
// too fast a moment ago.
func (r *rates) bucket(key string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[key]
	if !ok {
		if len(r.buckets) >= 10_000 {
			clear(r.buckets)
		}
		b = rate.NewLimiter(rate.Limit(r.perSecond), r.burst)
		r.buckets[key] = b
	}
	return b
}
