package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// apply judges one item. An error ends the transaction and means: try the batch again.
func (c *committer) apply(ctx context.Context, tx Tx, f *forming, it *item, claims map[Claim]int) error {
	if f.turn = it.fed != nil; f.turn {
		f.fed[it.fed]++
	}
	if it.delivery != nil && it.delivery.Poison != nil {
		f.batch.Quarantine = append(f.batch.Quarantine, *it.delivery.Poison)
		f.marks = append(f.marks, *it.delivery)
		f.rejected++
		return nil
	}
	if it.arrival != nil && it.arrival.over(f.at) {
		f.withdraw(it, answer{err: &OverloadedError{Why: "the lease of a start request is over"}})
		return nil
	}
	if it.arrival != nil && it.arrival.verdict != nil {
		c.settleArrival(f, it, *it.arrival.verdict)
		return nil
	}
	if replayed, err := c.replayed(tx, f, it, claims); replayed || err != nil {
		return err
	}
	if it.start != nil {
		return c.applyStart(ctx, tx, f, it, claims)
	}
	if it.handling != nil {
		return c.applyHandling(ctx, tx, f, it)
	}
	w, state, err := c.working(ctx, tx, f, it.id)
	switch {
	case errors.Is(err, ErrUnknownSagaType):
		return c.undefined(ctx, f, it, err)
	case err != nil:
		return err
	case state == RowBusy:
		return f.busy(it)
	}
	if it.settled != nil {
		f.settled = append(f.settled, *it.settled)
	}
	switch {
	case state == RowMissing:
		c.missing(f, it)
	case it.act != nil:
		return c.applyAct(ctx, f, w, it)
	case it.delivery != nil:
		c.applyReply(f, w, it)
	default:
		c.applyOther(f, w, it)
	}
	return nil
}

// replayed answers a request whose Idempotency-Key has its answer already (S2).
func (c *committer) replayed(tx Tx, f *forming, it *item, claims map[Claim]int) (bool, error) {
	var a answer
	has, wins := false, false
	for _, cl := range it.claims() {
		got := tx.Claimed(claims[cl.key()])
		switch {
		case got.Won:
			wins = true
		case cl.Kind != ClaimIdempotencyKey:
		case got.Hash != it.hash:
			has, a = true, answer{err: ErrIdempotency}
		default:
			has, a = true, kept(cl.Key, got.Answer)
		}
	}
	switch {
	case !has:
		return false, nil
	case wins && it.arrival != nil:
		f.withdraw(it, a)
		return true, nil
	case it.arrival != nil:
		c.settleArrival(f, it, a)
		return true, nil
	case wins: // its business key, which no saga of its own would have
		return false, &answeredError{it, a}
	}
	it.answer(a)
	return true, nil
}

// kept is the answer that is stored under an Idempotency-Key.
func kept(key string, body json.RawMessage) (a answer) {
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{err: fmt.Errorf("read the answer kept for Idempotency-Key %q: %w", key, err)}
	}
	if a.Started != nil {
		a.Started.Replayed = true
	}
	if a.Acted != nil {
		a.Acted.Replayed = true
	}
	if a.Handled != nil {
		a.Handled.Replayed = true
	}
	if a.Chosen != nil {
		a.Chosen.replayed = true
	}
	return a
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
	w := f.begin(id, row.Instance.Tenant, def)
	w.in, w.stored, w.wakeAt, w.wake, w.sent = row.Instance, row.Instance.Revision, row.WakeAt, row.WakeAt, row.Sent
	c.groups.fill(def, w.sent)
	return w, RowLoaded, nil
}

// waitError says that an item has to wait although it has won a key: the batch runs again without it, so that the claim does
// not stay without its answer.
type waitError struct{ it *item }

func (e *waitError) Error() string { return fmt.Sprintf("saga %s is locked", e.it.id) }

// answeredError is a request that has its answer although it has won a key: the batch runs again without it, so that the claim
// does not stay without what belongs to it (S2).
type answeredError struct {
	it     *item
	answer answer
}

func (e *answeredError) Error() string { return fmt.Sprintf("saga %s has its answer", e.it.id) }

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
func (c *committer) undefined(ctx context.Context, f *forming, it *item, err error) error {
	c.log.ErrorContext(ctx, "a saga's definition is missing", "saga_id", it.id, "error", err)
	switch {
	case it.delivery != nil:
		f.quarantine(it.delivery, "definition_missing", err.Error())
		f.marks = append(f.marks, *it.delivery)
	case len(it.claims()) > 0:
		return &answeredError{it, answer{err: err}}
	default:
		f.answers = append(f.answers, func() { it.fail(err) })
	}
	return nil
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
		f.take(w, saga.Break(w.def, w.in, env, it.event.ID, b.why))
		return
	}
	if _, err := f.decide(w, it.event); err != nil {
		c.log.Warn("an event is dropped", "saga_id", it.id, "event", fmt.Sprintf("%T", it.event.Body), "error", err)
	}
}
