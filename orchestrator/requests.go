package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// applyStart starts a saga, or answers with the one that has the key.
func (c *committer) applyStart(ctx context.Context, tx Tx, f *forming, it *item, claims map[Claim]int) error {
	req, rekeys := it.start, len(f.batch.Rekeys)
	if req.Key != "" {
		own := Claim{Kind: ClaimBusinessKey, Tenant: req.Tenant, Saga: req.Saga, Key: req.Key}
		if got := tx.Claimed(claims[own]); !got.Won {
			taken, err := c.keyTaken(ctx, tx, f, it, got)
			if taken || err != nil {
				return err
			}
		}
	}
	w := f.begin(it.id, it.start.Tenant, it.def)
	d, err := f.decide(w, it.event)
	if err != nil {
		f.drop(it.id)
		f.batch.Rekeys = f.batch.Rekeys[:rekeys]
		if refused := (*saga.RefusedError)(nil); errors.As(err, &refused) {
			c.reply(f, it, answer{Refused: refused}) // kept under the key, which is won: a replay is answered the same
		} else if it.arrival != nil {
			f.withdraw(it, answer{err: err})
		} else {
			it.fail(err)
		}
		return nil
	}
	f.traceStart(&d.Next, req.TraceParent)
	c.reply(f, it, answer{Started: &Started{
		ID: it.id, Saga: req.Saga, Version: it.def.Version, Key: req.Key, Tenant: req.Tenant,
		Status: d.Next.Status, Revision: 1, CreatedAt: d.Next.CreatedAt,
	}})
	return nil
}

// reply answers once the batch is committed, and keeps the answer under the request's Idempotency-Key.
func (c *committer) reply(f *forming, it *item, a answer) {
	switch {
	case it.arrival != nil && a.failure() != nil:
		f.withdraw(it, a)
		return
	case it.arrival != nil:
		f.keep(it.start.Tenant, it.start.IdempotencyKey, a)
		c.settleArrival(f, it, a)
		return
	case it.start != nil:
		f.keep(it.start.Tenant, it.start.IdempotencyKey, a)
	case it.act != nil:
		f.keep(it.act.Tenant, it.act.IdempotencyKey, a)
	case it.handling != nil:
		f.keep(it.handling.req.Tenant, it.handling.req.IdempotencyKey, a)
	}
	f.answers = append(f.answers, func() { it.answer(a) })
}

// keyTaken judges a start whose business key another saga has (design section 8). It reports whether the start is answered; if
// not, the key is given to the new saga.
func (c *committer) keyTaken(ctx context.Context, tx Tx, f *forming, it *item, got Claimed) (bool, error) {
	req := it.start
	old, ok := f.sagas[got.ID]
	in := saga.Instance{}
	if ok {
		in = old.in
	} else {
		if err := tx.Load(ctx, []saga.ID{got.ID}); err != nil {
			return false, err
		}
		row := tx.Row(got.ID)
		if row.State == RowBusy {
			return true, &waitError{it}
		}
		in = row.Instance // the zero instance where its partition has been detached: it ended long ago
	}
	var mine Claim
	for _, cl := range it.claims() {
		if cl.Kind == ClaimBusinessKey {
			mine = cl
		}
	}
	same := got.Hash == mine.Hash
	found := answer{Started: &Started{
		ID: got.ID, Saga: in.Saga, Version: in.Version, Key: req.Key, Tenant: req.Tenant, Status: in.Status,
		Revision: in.Revision, CreatedAt: in.CreatedAt, Existing: true,
	}}
	use := func(why string) answer {
		return answer{KeyInUse: &KeyInUseError{Key: req.Key, ID: got.ID, Status: in.Status, Why: why}}
	}
	live := !in.ID.IsZero() && !in.Status.Terminal()
	final := in.Status == saga.Completed && req.Reuse != ReuseAllow || !in.ID.IsZero() && req.Reuse == ReuseNever
	switch {
	case (live || final) && same:
		c.reply(f, it, found)
	case live:
		c.reply(f, it, use("a live saga with another input has it"))
	case final:
		c.reply(f, it, use("an ended saga with another input has it, and `reuse` does not allow it again"))
	default:
		f.batch.Rekeys = append(f.batch.Rekeys, Rekey{Tenant: req.Tenant, Saga: req.Saga, Key: req.Key, From: got.ID, To: it.id, Hash: mine.Hash})
		return false, nil
	}
	return true, nil
}

// applyAct judges an operator's action; it and its audit row are one transaction.
func (c *committer) applyAct(ctx context.Context, f *forming, w *working, it *item) error {
	req := it.act
	if w.in.Tenant != req.Tenant {
		c.reply(f, it, answer{NotFound: true})
		return nil
	}
	before, version := w.in.Revision, w.in.Version
	if req.IfRevision != 0 && req.IfRevision != before {
		c.reply(f, it, answer{Revision: true})
		return nil
	}
	if err := c.registry.aim(ctx, &req.Act, &w.in, f.holds); err != nil {
		return err
	}
	it.event.Body = req.Act
	d, err := f.decideAct(w, it)
	var refused *saga.RefusedError
	switch {
	case errors.As(err, &refused):
		c.reply(f, it, answer{Refused: refused})
		return nil
	case err != nil:
		f.answers = append(f.answers, func() { it.fail(err) })
		return nil
	}
	done := Audit{
		Tenant: req.Tenant, Actor: req.Act.By, From: it.from, Action: "saga." + string(req.Act.Action), Saga: req.ID,
		Target: req.Act.Step, Reason: req.Act.Reason, RequestID: req.RequestID, Before: before, After: w.in.Revision,
	}
	if req.Act.Action == saga.ActionRebind {
		done.Detail = fmt.Appendf(nil, `{"from_version":%d,"to_version":%d}`, version, w.in.Version)
	}
	f.batch.Audit = append(f.batch.Audit, done)
	c.reply(f, it, answer{Acted: &Acted{ID: req.ID, Status: w.in.Status, Revision: w.in.Revision, Pending: d.Pending, Changed: d.Outcome == saga.Applied, Why: d.Why}})
	return nil
}
