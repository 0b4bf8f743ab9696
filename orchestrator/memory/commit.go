package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Commit implements orchestrator.Tx: everything is encoded and checked first, and written only then.
func (t *tx) Commit(_ context.Context, batch orchestrator.Batch) error {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.over {
		return errOver
	}
	defer t.endLocked()
	if s.fences[batch.ID] {
		return fmt.Errorf("%w: batch %s was given up", orchestrator.ErrConflict, batch.ID)
	}
	p, err := t.prepareLocked(&batch)
	if err != nil {
		return err
	}
	for i := range batch.Writes {
		id := batch.Writes[i].Next.ID
		s.sagas[id] = p.rows[i]
		s.history[id] = append(s.history[id], p.facts[i]...)
	}
	for i := range t.need.Claims {
		if c := &t.need.Claims[i]; t.claimed[i].Won {
			s.keys[keyOf(c)] = &keyRow{id: c.ID, hash: c.Hash, at: t.at}
		}
	}
	for i := range batch.Rekeys {
		r := &batch.Rekeys[i]
		*s.keys[claimKey{orchestrator.ClaimBusinessKey, r.Tenant, r.Saga, r.Key}] = keyRow{id: r.To, hash: r.Hash, at: t.at}
	}
	for i := range batch.Answers {
		a := &batch.Answers[i]
		s.keys[claimKey{kind: orchestrator.ClaimIdempotencyKey, tenant: a.Tenant, key: a.Key}].answer = stored.EncodePlain(a.Body)
	}
	if p.outbox != nil {
		p.outbox.retryAt = s.nowLocked().Add(batch.RetryIn)
		s.outbox[batch.ID] = p.outbox
	}
	s.settleLocked(batch.Settled)
	for _, a := range p.audit {
		s.chainLocked(a)
	}
	s.quarantineLocked(batch.Quarantine)
	s.handleLocked(batch.Handled)
	return nil
}

// prepared is a batch that was found good, in the form in which it is stored.
type prepared struct {
	rows   []*sagaRow
	facts  [][]factRow
	outbox *outboxRow
	audit  []auditRow
}

func (t *tx) prepareLocked(batch *orchestrator.Batch) (p prepared, err error) {
	seen := map[saga.ID]bool{}
	for i := range batch.Writes {
		w := &batch.Writes[i]
		if seen[w.Next.ID] {
			return p, fmt.Errorf("saga %s is written twice in one batch", w.Next.ID)
		}
		seen[w.Next.ID] = true
		row, facts, err := t.prepareWriteLocked(batch.ID, w)
		if err != nil {
			return p, err
		}
		p.rows, p.facts = append(p.rows, row), append(p.facts, facts)
	}
	if len(batch.Outbox) > 0 {
		if t.store.outbox[batch.ID] != nil {
			return p, fmt.Errorf("%w: batch %s is in the outbox", orchestrator.ErrConflict, batch.ID)
		}
		p.outbox = &outboxRow{left: allIndexes(len(batch.Outbox)), tried: true}
		if p.outbox.records, err = stored.EncodeRecords(batch.Outbox); err != nil {
			return p, err
		}
	}
	if err := t.checkKeysLocked(batch); err != nil {
		return p, err
	}
	for i := range batch.Audit {
		a, err := prepareAudit(batch.Audit[i], t.at)
		if err != nil {
			return p, err
		}
		p.audit = append(p.audit, a)
	}
	if err := t.checkHandledLocked(batch.Handled); err != nil {
		return p, err
	}
	return p, checkQuarantine(batch.Quarantine)
}

func (t *tx) prepareWriteLocked(batch saga.BatchID, w *orchestrator.Write) (*sagaRow, []factRow, error) {
	s, in := t.store, &w.Next
	if err := checkWrite(w); err != nil {
		return nil, nil, err
	}
	if owner := s.locks[in.ID]; owner != nil && owner != t {
		return nil, nil, fmt.Errorf("saga %s is locked by another transaction", in.ID)
	}
	old := s.sagas[in.ID]
	switch {
	case in.Revision == 1 && old != nil:
		return nil, nil, fmt.Errorf("%w: saga %s exists", orchestrator.ErrConflict, in.ID)
	case in.Revision != 1 && (old == nil || old.tenant != in.Tenant || old.revision != in.Revision-1):
		return nil, nil, fmt.Errorf("%w: saga %s is not at revision %d", orchestrator.ErrConflict, in.ID, in.Revision-1)
	}
	bytes, err := saga.EncodeInstance(*in)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: saga %s: %w", orchestrator.ErrData, in.ID, err)
	}
	row := &sagaRow{
		tenant:    in.Tenant,
		saga:      in.Saga,
		key:       in.Key,
		labels:    in.Labels,
		version:   in.Version,
		status:    in.Status,
		verdict:   stored.Verdict(in),
		attention: stored.Attention(in),
		causes:    stored.Causes(w.Blocked),
		waits:     stored.Waits(&w.Next, w.Blocked),
		createdAt: in.CreatedAt.UTC().Truncate(time.Microsecond),
		wakeAt:    w.WakeAt.UTC().Truncate(time.Microsecond),
		revision:  in.Revision,
		batches:   stored.OpenBatches(in),
		bytes:     bytes,
	}
	if w.WakeAt.IsZero() {
		row.wakeAt = time.Time{}
	}
	facts, err := t.prepareFactsLocked(batch, w)
	return row, facts, err
}

// checkWrite holds what the columns' types and CHECKs hold in Postgres.
func checkWrite(w *orchestrator.Write) error {
	in := &w.Next
	texts := []string{in.Tenant, in.Saga, in.Key, string(in.Status)}
	for k, v := range in.Labels {
		texts = append(texts, k, v)
	}
	for _, s := range texts {
		if !stored.ValidText(s) {
			return fmt.Errorf("%w: saga %s: %q is no text", orchestrator.ErrData, in.ID, s)
		}
	}
	if !slices.Contains(saga.Statuses(), in.Status) {
		return fmt.Errorf("%w: saga %s: no such status %q", orchestrator.ErrData, in.ID, in.Status)
	}
	if in.Status.Terminal() != w.WakeAt.IsZero() {
		return fmt.Errorf("%w: saga %s: wake time %v of a saga that is %s (L2)", orchestrator.ErrData, in.ID, w.WakeAt, in.Status)
	}
	return nil
}

func (t *tx) prepareFactsLocked(batch saga.BatchID, w *orchestrator.Write) ([]factRow, error) {
	next := int64(len(t.store.history[w.Next.ID])) + 1
	facts := make([]factRow, len(w.Facts))
	for i := range w.Facts {
		f := &w.Facts[i]
		if f.Seq != next {
			return nil, fmt.Errorf("%w: saga %s: fact %d where %d is next (S4)", orchestrator.ErrConflict, w.Next.ID, f.Seq, next)
		}
		next++
		bytes, err := saga.EncodeFact(*f)
		if err != nil {
			return nil, fmt.Errorf("%w: saga %s, fact %d: %w", orchestrator.ErrData, w.Next.ID, f.Seq, err)
		}
		facts[i] = factRow{batch: batch, bytes: bytes}
	}
	return facts, nil
}

func (t *tx) checkKeysLocked(batch *orchestrator.Batch) error {
	for i := range batch.Rekeys {
		r := &batch.Rekeys[i]
		row := t.store.keys[claimKey{orchestrator.ClaimBusinessKey, r.Tenant, r.Saga, r.Key}]
		if row == nil || row.id != r.From {
			return fmt.Errorf("%w: business key %q is not that of %s", orchestrator.ErrConflict, r.Key, r.From)
		}
	}
	for i := range batch.Answers {
		key := claimKey{kind: orchestrator.ClaimIdempotencyKey, tenant: batch.Answers[i].Tenant, key: batch.Answers[i].Key}
		if t.store.claims[key] != t {
			return fmt.Errorf("%w: idempotency key %q was not won here", orchestrator.ErrConflict, batch.Answers[i].Key)
		}
	}
	return nil
}
