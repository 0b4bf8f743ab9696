package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/skaldhq/skald/orchestrator"
)

const (
	countsKept = time.Second           // how old the counts on a page may be in any case
	countsOld  = 20 * time.Second      // how old they may be where newer ones take long
	countsWait = 50 * time.Millisecond // which is longer than this
)

// counts are those of live sagas, shared by all pages of a replica: with 100,000 live sagas Postgres counts for some 100 ms, and every open
// overview asks again every 2 s. The zero value lacks read alone; it is safe for concurrent use.
type counts struct {
	read   func(ctx context.Context, tenant string) (orchestrator.Stats, error)
	flight singleflight.Group

	mu   sync.Mutex // guards kept
	kept map[string]keptCounts
}

type keptCounts struct {
	stats orchestrator.Stats
	at    time.Time // when the counting began
}

// of counts a tenant's live sagas, or says what was counted lately. What it says is not to be changed.
func (c *counts) of(ctx context.Context, tenant string) (orchestrator.Stats, error) {
	c.mu.Lock()
	kept, known := c.kept[tenant]
	c.mu.Unlock()
	age := time.Since(kept.at)
	if known && age < countsKept {
		return kept.stats, nil
	}
	counted := c.flight.DoChan(tenant, func() (any, error) { return c.count(ctx, tenant) })
	var enough <-chan time.Time
	if known && age < countsOld {
		timer := time.NewTimer(countsWait)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case r := <-counted:
		stats, _ := r.Val.(orchestrator.Stats)
		return stats, r.Err
	case <-enough:
		return kept.stats, nil
	case <-ctx.Done():
		return orchestrator.Stats{}, ctx.Err()
	}
}

// count counts for all who wait: it goes on when the one who asked first has gone.
func (c *counts) count(ctx context.Context, tenant string) (orchestrator.Stats, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handlerLimit)
	defer cancel()
	began := time.Now()
	stats, err := c.read(ctx, tenant)
	if err != nil {
		return stats, fmt.Errorf("count sagas: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[string]keptCounts{}
	}
	c.kept[tenant] = keptCounts{stats, began}
	return stats, nil
}
