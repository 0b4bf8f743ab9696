package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// flushAfter is how long acknowledgements wait for a transaction to ride on.
const flushAfter = 200 * time.Millisecond

// retryIn is how long the committing replica alone may publish a batch; then any replica does.
const retryIn = 8 * time.Second

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
	wait := time.Second
	if c.acks.waiting() {
		wait = flushAfter
	}
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

// poisoned deals with an event that fails alone: it suspends its saga, or quarantines its record (L5).
func (c *committer) poisoned(ctx context.Context, it *item, cause error) {
	c.log.ErrorContext(ctx, "an event cannot be stored", "saga_id", it.id, "event", fmt.Sprintf("%T", it.event.Body), "error", cause)
	it.fail(&InputError{Message: "the database refuses the content", Fields: []FieldError{{Path: "", Message: cause.Error()}}})
	if it.tries > 0 && it.delivery != nil { // not even its quarantine row can be stored: the partition moves on (L5)
		c.mark([]Delivery{*it.delivery})
	}
	if it.start != nil || it.tries > 0 {
		return
	}
	broken := &item{id: it.id, tries: 1, event: it.event, delivery: it.delivery}
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

// commit is one transaction.
func (c *committer) commit(ctx context.Context, items []*item) error {
	began := c.clock.Now()
	ctx = context.WithoutCancel(ctx)
	items, postponed, need, claims := c.need(items)
	tx, err := c.store.Begin(ctx, need)
	if err != nil {
		return fmt.Errorf("begin batch: %w", err)
	}
	defer tx.Rollback(ctx)
	f := c.form(tx)
	f.later = postponed
	for _, it := range items {
		if err := c.apply(ctx, tx, f, it, claims); err != nil {
			return err
		}
	}
	f.batch.Settled = c.acks.take()
	f.close()
	if f.empty() {
		tx.Rollback(ctx)
	} else if err := c.finish(ctx, tx, f); err != nil {
		c.acks.put(f.batch.Settled...)
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
		if it.start == nil {
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

func (c *committer) form(tx Tx) *forming {
	at := tx.At()
	id := saga.BatchID(saga.NewID(at, uint16(c.random.Uint64()), c.random.Uint64()))
	return &forming{batch: Batch{ID: id, RetryIn: retryIn}, at: at, holds: tx.Holds(), encoder: c.encoder, log: c.log,
		jitter: func() float64 { return float64(c.random.Uint64()>>11) / (1 << 53) }, sagas: map[saga.ID]*working{}}
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
		row := OutboxRow{Batch: f.batch.ID, Records: f.batch.Outbox, Indexes: make([]int, len(f.batch.Outbox))}
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
	facts := 0
	for _, w := range f.batch.Writes {
		changed = append(changed, w.Next)
		facts += len(w.Facts)
	}
	for _, id := range f.order {
		if w := f.sagas[id]; w.seen {
			c.timers.set(id, w.in.Revision, w.wake.Sub(f.at), !w.wake.IsZero())
		}
	}
	for _, answer := range f.answers {
		answer()
	}
	c.observer.Committed(BatchStats{Events: events, Sagas: len(changed), Facts: facts, Records: len(f.batch.Outbox), Ignored: f.ignored,
		Quarantined: f.rejected, Took: took}, changed)
}

// apply judges one item. An error ends the transaction and means: try the batch again.
func (c *committer) apply(ctx context.Context, tx Tx, f *forming, it *item, claims map[Claim]int) error {
	if it.delivery != nil && it.delivery.Poison != nil {
		f.batch.Quarantine = append(f.batch.Quarantine, *it.delivery.Poison)
		f.marks = append(f.marks, *it.delivery)
		f.rejected++
		return nil
	}
	if replayed := c.replayed(tx, it, claims); replayed {
		return nil
	}
	if it.start != nil {
		return c.applyStart(ctx, tx, f, it, claims)
	}
	w, state, err := c.working(ctx, tx, f, it.id)
	switch {
	case errors.Is(err, ErrUnknownSagaType):
		c.undefined(ctx, f, it, err)
		return nil
	case err != nil:
		return err
	case state == RowBusy:
		return f.busy(it)
	case state == RowMissing:
		c.missing(f, it)
		return nil
	}
	switch {
	case it.act != nil:
		c.applyAct(f, w, it)
	case it.delivery != nil:
		c.applyReply(f, w, it)
	default:
		c.applyOther(f, w, it)
	}
	return nil
}

// replayed answers a request whose Idempotency-Key has its answer already (S2).
func (c *committer) replayed(tx Tx, it *item, claims map[Claim]int) bool {
	for _, cl := range it.claims() {
		if cl.Kind != ClaimIdempotencyKey {
			continue
		}
		got := tx.Claimed(claims[cl.key()])
		switch {
		case got.Won:
		case got.Hash != it.hash:
			it.fail(ErrIdempotency)
			return true
		default:
			var a answer
			if err := json.Unmarshal(got.Answer, &a); err != nil {
				it.fail(fmt.Errorf("read the answer kept for Idempotency-Key %q: %w", cl.Key, err))
				return true
			}
			if a.Started != nil {
				a.Started.Replayed = true
			}
			if a.Acted != nil {
				a.Acted.Replayed = true
			}
			it.answer(a)
			return true
		}
	}
	return false
}

// working is the saga of an item, as earlier items of the batch left it.
func (c *committer) working(ctx context.Context, tx Tx, f *forming, id saga.ID) (*working, RowState, error) {
	if w := f.sagas[id]; w != nil {
		return w, RowLoaded, nil
	}
	row := tx.Row(id)
	if row.State != RowLoaded {
		return nil, row.State, nil
	}
	def, err := c.registry.get(ctx, row.Instance.Tenant, row.Instance.Saga, row.Instance.Version)
	if err != nil {
		return nil, row.State, fmt.Errorf("definition of %s: %w", id, err)
	}
	w := f.begin(id, def)
	w.in, w.stored, w.wakeAt, w.wake, w.sent = row.Instance, row.Instance.Revision, row.WakeAt, row.WakeAt, row.Sent
	return w, RowLoaded, nil
}

// waitError says that an item has to wait although it has won a key: the batch runs again without it, so that the claim does
// not stay without its answer.
type waitError struct{ it *item }

func (e *waitError) Error() string { return fmt.Sprintf("saga %s is locked", e.it.id) }

// busy puts an item off whose saga somebody else has locked.
func (f *forming) busy(it *item) error {
	switch {
	case it.revision > 0: // a timer: whoever has the lock looks at the saga anyway, and the sweep is the truth
		return nil
	case len(it.claims()) > 0:
		return &waitError{it}
	}
	f.later = append(f.later, it)
	return nil
}

// undefined deals with a saga whose definition cannot be had: it delays only itself (L5).
func (c *committer) undefined(ctx context.Context, f *forming, it *item, err error) {
	c.log.ErrorContext(ctx, "a saga's definition is missing", "saga_id", it.id, "error", err)
	if it.delivery != nil {
		f.quarantine(it.delivery, "definition_missing", err.Error())
		f.marks = append(f.marks, *it.delivery)
		return
	}
	f.answers = append(f.answers, func() { it.fail(err) })
}

func (c *committer) missing(f *forming, it *item) {
	switch {
	case it.delivery != nil:
		f.quarantine(it.delivery, "unknown_saga", "there is no such saga")
		f.marks = append(f.marks, *it.delivery)
	default:
		c.reply(f, it, answer{NotFound: true})
	}
}

func (c *committer) applyReply(f *forming, w *working, it *item) {
	f.marks = append(f.marks, *it.delivery)
	if it.delivery.Tenant != w.in.Tenant {
		f.quarantine(it.delivery, "unknown_saga", "the saga belongs to another tenant")
		return
	}
	if _, err := f.decide(w, it.event); err != nil {
		f.quarantine(it.delivery, "not_asked", err.Error())
	}
}

func (c *committer) applyOther(f *forming, w *working, it *item) {
	if it.revision > 0 && it.revision != w.in.Revision {
		return // the saga has moved on; its timer has been set anew
	}
	if b, ok := it.event.Body.(breaking); ok {
		env := saga.Env{At: f.at, Batch: f.batch.ID, Index: len(f.batch.Outbox)}
		d := saga.Break(w.def, w.in, env, it.event.ID, b.why)
		w.in, w.wake, w.seen, w.facts = d.Next, d.WakeAt, true, append(w.facts, d.Facts...)
		return
	}
	if _, err := f.decide(w, it.event); err != nil {
		c.log.Warn("an event is dropped", "saga_id", it.id, "event", fmt.Sprintf("%T", it.event.Body), "error", err)
	}
}
