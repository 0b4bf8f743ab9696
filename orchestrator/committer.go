package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// flushAfter is how long acknowledgements wait for a transaction to ride on.
const flushAfter = 200 * time.Millisecond

// committer is the one door: it takes whatever is waiting as one batch, has each event judged, and stores what follows in one
// transaction. While one transaction commits, events gather; the next takes them all.
type committer struct {
	cfg      *Config
	store    Store
	encoder  Encoder
	log      *slog.Logger
	observer Observer
	clock    Clock
	random   Random
	registry *registry
	intake   *queue[*item]
	outgoing *queue[outgoing]
	acks     *acks
	timers   *timers
	health   *health
	mark     func([]Delivery)
	breakers *breakers
	limits   *limiter
	groups   *groups
	answers  *answers
	later    []*item // rows that somebody had locked
}

// Random draws what must not come from the pure core: ids and jitter. It is safe for concurrent use.
type Random interface{ Uint64() uint64 }

// run commits batches until ctx ends and nothing is waiting any more.
func (c *committer) run(ctx context.Context) {
	for {
		items := c.take(ctx)
		if len(items) > 0 {
			c.process(ctx, items)
			continue
		}
		c.flush(ctx)
		if ctx.Err() != nil && c.intake.Len() == 0 && len(c.later) == 0 {
			return
		}
	}
}

func (c *committer) take(ctx context.Context) []*item {
	wait := flushAfter // acknowledgements that come meanwhile wait no longer than twice that
	if len(c.later) > 0 {
		wait = 2 * time.Millisecond
	}
	if ctx.Err() != nil && len(c.later) > 0 { // draining: taking does not wait any more
		c.clock.Sleep(context.WithoutCancel(ctx), wait)
	}
	items := c.intake.Take(ctx, c.cfg.BatchEvents, wait)
	items = append(c.later, items...)
	c.later = nil
	return items
}

// flush stores acknowledgements that no transaction came by to take.
func (c *committer) flush(ctx context.Context) {
	settled := c.acks.take()
	if len(settled) == 0 {
		return
	}
	if err := c.store.Settle(context.WithoutCancel(ctx), settled); err != nil {
		c.acks.put(settled...)
		c.log.WarnContext(ctx, "settling the outbox is tried again", "error", err)
		c.clock.Sleep(ctx, flushAfter)
	}
}

// process commits the items, whatever it takes: again after a passing error, in halves where the content itself is refused.
func (c *committer) process(ctx context.Context, items []*item) {
	var wait *waitError
	var answered *answeredError
	var withdrawn *withdrawnError
	for pause := 50 * time.Millisecond; len(items) > 0; pause = min(2*pause, 2*time.Second) {
		err := c.commit(ctx, items)
		switch {
		case err == nil:
			c.health.committed()
			return
		case errors.As(err, &wait):
			items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it == wait.it })
			c.later = append(c.later, wait.it)
			continue
		case errors.As(err, &answered):
			items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it == answered.it })
			answered.it.answer(answered.answer)
			continue
		case errors.As(err, &withdrawn):
			items = withdrawn.replace(items)
			continue
		case errors.Is(err, ErrClaimTimeout):
			c.apart(ctx, items)
			return
		case errors.Is(err, ErrData):
			c.bisect(ctx, items, err)
			return
		}
		c.health.failed(err)
		c.log.WarnContext(ctx, "committing is tried again", "events", len(items), "error", err)
		if ctx.Err() != nil { // draining with a store that fails: replies are read again, requests get their answer
			for _, it := range items {
				it.fail(ErrStopping)
			}
			return
		}
		c.clock.Sleep(ctx, pause)
	}
}

// apart commits the items without keys, and then each with a key alone: somebody's long transaction on a key must not stall the
// committer.
func (c *committer) apart(ctx context.Context, items []*item) {
	var keyed, plain []*item
	for _, it := range items {
		if len(it.claims()) > 0 {
			keyed = append(keyed, it)
		} else {
			plain = append(plain, it)
		}
	}
	if len(plain) > 0 {
		c.process(ctx, plain)
	}
	for _, it := range keyed {
		switch err := c.commit(ctx, []*item{it}); {
		case err == nil:
		case errors.Is(err, ErrClaimTimeout):
			it.fail(&OverloadedError{Why: "the key is held by another transaction", RetryAfter: time.Second})
		case errors.Is(err, ErrData):
			c.poisoned(ctx, it, err)
		default:
			c.process(ctx, []*item{it})
		}
	}
}

// bisect finds the event whose content the store refuses, and commits all others.
func (c *committer) bisect(ctx context.Context, items []*item, err error) {
	if len(items) == 1 {
		c.poisoned(ctx, items[0], err)
		return
	}
	half := len(items) / 2
	c.process(ctx, items[:half])
	c.process(ctx, items[half:])
}

// poisoned deals with an event that fails alone: it suspends its saga, quarantines its record, or refuses its request (L5).
func (c *committer) poisoned(ctx context.Context, it *item, cause error) {
	c.log.ErrorContext(ctx, "an event cannot be stored", "saga_id", it.id, "event", fmt.Sprintf("%T", it.event.Body), "error", cause)
	if it.handling != nil && it.handling.delivery != nil && it.tries == 0 {
		c.process(ctx, []*item{it.unstorable(cause)})
		return
	}
	if it.arrival != nil {
		c.poisonedArrival(ctx, it, cause)
		return
	}
	it.fail(&InputError{Message: "the database refuses the content", Fields: []FieldError{{Path: "", Message: cause.Error()}}})
	if it.tries > 0 && it.delivery != nil { // not even its quarantine row can be stored: the partition moves on (L5)
		c.mark([]Delivery{*it.delivery})
	}
	if it.start != nil || it.act != nil || it.handling != nil || it.tries > 0 { // a request has its answer, and its saga goes on
		return
	}
	broken := &item{id: it.id, tries: 1, event: it.event, delivery: it.delivery, settled: it.settled}
	if it.delivery != nil {
		broken.delivery.Poison = &it.delivery.Raw
		broken.delivery.Poison.Reason, broken.delivery.Poison.Message = "poison", cause.Error()
	} else {
		broken.event.Body = breaking{why: cause.Error()}
	}
	c.process(ctx, []*item{broken})
}

// breaking stands for an event that could not be stored.
type breaking struct {
	saga.Body
	why string
}
