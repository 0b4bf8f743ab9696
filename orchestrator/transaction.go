package orchestrator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// commit is one transaction.
func (c *committer) commit(ctx context.Context, items []*item) error {
	began := c.clock.Now()
	ctx = context.WithoutCancel(ctx)
	items, postponed, need, claims := c.need(items)
	if err := c.limits.known(ctx); err != nil {
		return err
	}
	tx, err := c.store.Begin(ctx, need)
	if err != nil {
		return fmt.Errorf("begin batch: %w", err)
	}
	defer tx.Rollback(ctx)
	f := c.form(tx, len(items))
	f.later = postponed
	if err := f.lockHandled(ctx, tx, items); err != nil {
		return err
	}
	for _, it := range items {
		if err := c.apply(ctx, tx, f, it, claims); err != nil {
			return err
		}
	}
	if len(f.withdrawn) > 0 {
		return &withdrawnError{f.withdrawn}
	}
	acked := c.acks.take()
	f.batch.Settled = slices.Concat(f.settled, acked)
	f.close()
	if f.empty() {
		tx.Rollback(ctx)
	} else if err := c.finish(ctx, tx, f); err != nil {
		c.acks.put(acked...)
		return err
	}
	c.later = append(c.later, f.later...)
	c.after(ctx, f, len(items), c.clock.Now().Sub(began))
	return nil
}

// need gathers what a batch loads and claims. An item whose key an earlier one of the batch claims waits for the next batch, and
// so does what would make the batch too large.
func (c *committer) need(items []*item) (now, postponed []*item, need Need, claims map[Claim]int) {
	claimed := map[Claim]bool{}
	bytesTaken := 0
	for i, it := range items {
		own := it.claims()
		bytesTaken += it.size()
		tooMuch := i > 0 && bytesTaken > c.cfg.BatchBytes
		if tooMuch || slices.ContainsFunc(own, func(cl Claim) bool { return claimed[cl.key()] }) {
			postponed = append(postponed, it)
			continue
		}
		for _, cl := range own {
			claimed[cl.key()] = true
		}
		need.Claims = append(need.Claims, own...)
		if it.start == nil && !it.id.IsZero() {
			need.Sagas = append(need.Sagas, it.id)
		}
		now = append(now, it)
	}
	slices.SortFunc(need.Sagas, func(a, b saga.ID) int { return bytes.Compare(a[:], b[:]) })
	need.Sagas = slices.Compact(need.Sagas)
	slices.SortFunc(need.Claims, compareClaims)
	claims = make(map[Claim]int, len(need.Claims))
	for i, cl := range need.Claims {
		claims[cl.key()] = i
	}
	return now, postponed, need, claims
}

// key is what makes two claims the same.
func (c Claim) key() Claim { return Claim{Kind: c.Kind, Tenant: c.Tenant, Saga: c.Saga, Key: c.Key} }

func (c *committer) form(tx Tx, items int) *forming {
	at := tx.At()
	id := saga.BatchID(saga.NewID(at, uint16(c.random.Uint64()), c.random.Uint64()))
	return &forming{
		batch: Batch{ID: id, RetryIn: c.cfg.RetryIn, Outbox: make([]Record, 0, items+items/2)}, at: at, holds: tx.Holds(), encoder: c.encoder, log: c.log,
		grid: c.cfg.WakeGrid, jitter: func() float64 { return float64(c.random.Uint64()>>11) / (1 << 53) }, sagas: make(map[saga.ID]*working, items),
		began: c.clock.Now(), asked: map[string]struct{}{},
		counting: true, tracer: c.cfg.Tracer, limits: c.limits.allow(), fed: map[*limited]int{},
	}
}

// finish commits. An unknown outcome is resolved by the batch id that the facts carry; nothing is promised before that (S1).
func (c *committer) finish(ctx context.Context, tx Tx, f *forming) error {
	err := tx.Commit(ctx, f.batch)
	if !errors.Is(err, ErrUnknown) {
		if err != nil {
			return fmt.Errorf("commit batch %s: %w", f.batch.ID, err)
		}
		return nil
	}
	i := slices.IndexFunc(f.batch.Writes, func(w Write) bool { return len(w.Facts) > 0 })
	if i < 0 {
		return fmt.Errorf("commit batch %s without facts: %w", f.batch.ID, err)
	}
	for {
		committed, asked := c.store.Committed(ctx, f.batch.ID, f.batch.Writes[i])
		switch {
		case asked == nil && committed:
			return nil
		case asked == nil:
			return fmt.Errorf("commit batch %s did not happen", f.batch.ID)
		}
		c.log.WarnContext(ctx, "asking what became of a commit is tried again", "batch", f.batch.ID, "error", asked)
		c.clock.Sleep(ctx, 500*time.Millisecond)
	}
}

// after does what may be done only now: publish, answer, mark, and set timers.
func (c *committer) after(ctx context.Context, f *forming, events int, took time.Duration) {
	if len(f.batch.Outbox) > 0 {
		row := OutboxRow{Batch: f.batch.ID, Records: f.batch.Outbox, CommittedAt: f.at.Add(c.clock.Now().Sub(f.began)), Indexes: make([]int, len(f.batch.Outbox))}
		for i := range row.Indexes {
			row.Indexes[i] = i
		}
		if !c.outgoing.Offer(laneReplies, outgoing{row: row}) {
			c.log.WarnContext(ctx, "publishing is behind; the outbox is sent later", "batch", row.Batch)
		}
	}
	if len(f.marks) > 0 {
		c.mark(f.marks)
	}
	changed := make([]saga.Instance, 0, len(f.batch.Writes))
	stats := BatchStats{
		Events: events, Sagas: len(f.batch.Writes), Records: len(f.batch.Outbox), Ignored: f.ignored, Quarantined: f.rejected, Took: took,
		Starts: f.starts,
	}
	f.starts.log(ctx, c.log, f)
	for i := range f.batch.Writes {
		w := &f.batch.Writes[i]
		changed = append(changed, w.Next)
		stats.Measured.measure(f.sagas[w.Next.ID].def, w)
		stats.Facts += len(w.Facts)
		stats.ask(w.Facts)
	}
	for _, id := range f.order {
		if w := f.sagas[id]; w.seen {
			c.timers.set(id, w.in.Revision, w.wake.Sub(f.at), !w.wake.IsZero())
		}
	}
	c.limits.committed(f.limits, f.fed)
	c.breakers.saw(f.seen)
	c.answers.saw(f.seen)
	c.groups.want(f.asked)
	for _, answer := range f.answers {
		answer()
	}
	c.observer.Committed(stats, changed)
	f.traced(f.at.Add(c.clock.Now().Sub(f.began)))
}
