package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// errOver is what a transaction answers that was ended, by its owner or by the store.
var errOver = errors.New("the transaction is over")

// tx is an open transaction. Its locks and claims stand in the store under its name.
type tx struct {
	store   *Store
	at      time.Time
	need    orchestrator.Need
	claimed []orchestrator.Claimed
	rows    map[saga.ID]orchestrator.Row
	holds   []orchestrator.Hold
	over    bool

	quarantined []int64 // records that are locked
}

// Begin implements orchestrator.Store.
func (s *Store) Begin(_ context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tx{store: s, need: need, at: s.nowLocked(), rows: map[saga.ID]orchestrator.Row{}}
	for i := range need.Claims {
		if err := t.claimLocked(&need.Claims[i]); err != nil {
			t.endLocked()
			return nil, err
		}
	}
	if err := t.loadLocked(need.Sagas); err != nil {
		t.endLocked()
		return nil, err
	}
	t.holds = s.holdsLocked(t.at)
	return t, nil
}

func (t *tx) claimLocked(c *orchestrator.Claim) error {
	if !stored.ValidText(c.Tenant) || !stored.ValidText(c.Saga) || !stored.ValidText(c.Key) {
		return fmt.Errorf("%w: a key that is no text", orchestrator.ErrData)
	}
	key := keyOf(c)
	if row := t.store.keys[key]; row != nil {
		answer, err := stored.DecodePlain(row.answer)
		if err != nil {
			return err
		}
		t.claimed = append(t.claimed, orchestrator.Claimed{ID: row.id, Hash: row.hash, Answer: answer})
		return nil
	}
	switch owner := t.store.claims[key]; owner {
	case nil:
		t.store.claims[key] = t
		t.claimed = append(t.claimed, orchestrator.Claimed{Won: true})
	case t:
		for i := range t.claimed {
			if t.claimed[i].Won && keyOf(&t.need.Claims[i]) == key {
				t.claimed = append(t.claimed, orchestrator.Claimed{ID: t.need.Claims[i].ID, Hash: t.need.Claims[i].Hash})
				break
			}
		}
	default:
		return orchestrator.ErrClaimTimeout
	}
	return nil
}

func (t *tx) loadLocked(ids []saga.ID) error {
	s := t.store
	for _, id := range ids {
		if t.rows[id].State == orchestrator.RowLoaded {
			continue
		}
		row := s.sagas[id]
		switch {
		case row == nil:
			t.rows[id] = orchestrator.Row{State: orchestrator.RowMissing}
		case s.locks[id] != nil:
			t.rows[id] = orchestrator.Row{State: orchestrator.RowBusy}
		default:
			in, sent, err := s.decodeLocked(row)
			if err != nil {
				return fmt.Errorf("%w: saga %s: %w", orchestrator.ErrData, id, err)
			}
			s.locks[id] = t
			t.rows[id] = orchestrator.Row{State: orchestrator.RowLoaded, Instance: in, WakeAt: row.wakeAt, Sent: sent}
		}
	}
	return nil
}

func (s *Store) decodeLocked(row *sagaRow) (saga.Instance, []saga.Sent, error) {
	in, err := saga.DecodeInstance(row.bytes)
	if err != nil {
		return in, nil, err
	}
	published := map[saga.BatchID]stored.Published{}
	for _, batch := range row.batches {
		p := stored.Published{}
		if o := s.outbox[batch]; o != nil {
			p.Left = o.left
		}
		if p.Acked, err = stored.DecodeAcks(s.receipts[batch]); err != nil {
			return in, nil, err
		}
		published[batch] = p
	}
	return in, stored.Sent(&in, published), nil
}

// At implements orchestrator.Tx.
func (t *tx) At() time.Time { return t.at }

// Row implements orchestrator.Tx.
func (t *tx) Row(id saga.ID) orchestrator.Row { return t.rows[id] }

// Claimed implements orchestrator.Tx.
func (t *tx) Claimed(i int) orchestrator.Claimed { return t.claimed[i] }

// Holds implements orchestrator.Tx.
func (t *tx) Holds() []orchestrator.Hold { return slices.Clone(t.holds) }

// Load implements orchestrator.Tx.
func (t *tx) Load(_ context.Context, ids []saga.ID) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	if t.over {
		return errOver
	}
	return t.loadLocked(ids)
}

// Rollback implements orchestrator.Tx. Called by somebody else than the owner, it is what the database does to a session
// that it ends: the owner's Commit then fails.
func (t *tx) Rollback(context.Context) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.endLocked()
}

func (t *tx) endLocked() {
	t.over = true
	for _, id := range t.quarantined {
		t.store.quarantineRowLocked(id).lock = nil
	}
	t.quarantined = nil
	for id := range t.rows {
		if t.store.locks[id] == t {
			delete(t.store.locks, id)
		}
	}
	for i := range t.need.Claims {
		if key := keyOf(&t.need.Claims[i]); t.store.claims[key] == t {
			delete(t.store.claims, key)
		}
	}
}
