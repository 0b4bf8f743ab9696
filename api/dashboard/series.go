package dashboard

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// CountFunc counts a tenant's live sagas.
type CountFunc func(ctx context.Context, tenant string) (client.Stats, error)

// TallyFunc is what this replica has done for a tenant since it started.
type TallyFunc func(tenant string) Tally

// Tally counts what a replica did since it started: what it committed, not what other replicas did.
type Tally struct {
	Started     int64
	Completed   int64
	Compensated int64
	Abandoned   int64
	Residue     int64 // sagas that ended with something left
}

// The charts show an hour, a point every 15 s. They live in the memory of this replica: the server keeps no time series, which is
// what Prometheus is for (/metrics), and they begin anew when it starts.
const (
	sampleEvery  = 15 * time.Second
	samplesKept  = int(time.Hour / sampleEvery)
	sampleLimit  = 3 * time.Second
	tenantsShown = 16 // whose charts are kept; further tenants get none
)

// sample is one moment of a tenant.
type sample struct {
	at    time.Time
	stats client.Stats
	tally Tally
}

// series keeps the last hour of each tenant that looked. It is safe for concurrent use.
type series struct {
	count CountFunc
	tally TallyFunc

	mu      sync.Mutex // guards tenants
	tenants map[string][]sample
}

func newSeries(count CountFunc, tally TallyFunc) *series {
	if tally == nil {
		tally = func(string) Tally { return Tally{} }
	}
	return &series{count: count, tally: tally, tenants: map[string][]sample{"default": nil}}
}

// run samples until ctx ends, whose error it returns.
func (s *series) run(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		for _, tenant := range s.known() {
			if err := s.sample(ctx, tenant); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "live sagas not counted; the charts have a hole", "tenant", tenant, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (s *series) known() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.tenants))
	for tenant := range s.tenants {
		out = append(out, tenant)
	}
	return out
}

func (s *series) sample(ctx context.Context, tenant string) error {
	ctx, cancel := context.WithTimeout(ctx, sampleLimit)
	defer cancel()
	stats, err := s.count(ctx, tenant)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := append(s.tenants[tenant], sample{time.Now(), stats, s.tally(tenant)})
	if over := len(kept) - samplesKept; over > 0 {
		kept = append([]sample(nil), kept[over:]...)
	}
	s.tenants[tenant] = kept
	return nil
}

// of is a tenant's samples, oldest first. From now on they are kept for it, where there is room.
func (s *series) of(tenant string) []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tenants[tenant]; !ok && len(s.tenants) < tenantsShown {
		s.tenants[tenant] = nil
	}
	return append([]sample(nil), s.tenants[tenant]...)
}

// alarms is how many of a tenant's sagas needed a person at the last count; -1: not known.
func (s *series) alarms(tenant string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.tenants[tenant]
	if len(kept) == 0 {
		return -1
	}
	return kept[len(kept)-1].stats.WithAttention
}
