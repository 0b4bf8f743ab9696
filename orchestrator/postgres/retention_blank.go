package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// blanking is one transaction that takes payloads: the sagas that it changes, as arrays.
type blanking struct {
	before time.Time // sagas that ended later keep theirs
	at     time.Time

	keys       keys
	revisions  []int64
	instances  [][]byte
	history    historyArrays
	freed      int64 // bytes
	unreadable int   // sagas that are left as they are: the audit tells what is wrong with them
}

// blanked is a saga with its payloads gone, and what was stored of it.
type blanked struct {
	revision int64
	instance []byte
	freed    int64
	rows     []blankedFacts
}

type blankedFacts struct {
	seq   int64
	facts []byte
}

// read locks the sagas and works out what they and their facts are without payloads. Nothing is written yet.
func (b *blanking) read(ctx context.Context, tx pgx.Tx, query string, ids []saga.ID) error {
	k := keysOf(ids)
	rows, err := tx.Query(ctx, query, k.args()...)
	if err != nil {
		return err
	}
	sagas := map[saga.ID]*blanked{}
	var order []saga.ID
	var (
		id       saga.ID
		revision int64
		raw      []byte
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &revision, &raw}, func() error {
		in, err := saga.DecodeInstance(raw)
		if err != nil || in.Revision != revision {
			b.unreadable++
			return nil
		}
		if in.EndedAt.After(b.before) {
			return nil
		}
		next := saga.Blank(in, b.at)
		out, err := saga.EncodeInstance(next)
		if err != nil || next.Revision == revision {
			b.unreadable++
			return nil
		}
		sagas[id] = &blanked{revision: next.Revision, instance: out, freed: int64(len(raw) - len(out))}
		order = append(order, id)
		return nil
	})
	if err != nil || len(order) == 0 {
		return err
	}
	if err := b.facts(ctx, tx, sagas, order); err != nil {
		return err
	}
	for _, id := range order {
		s := sagas[id]
		if s == nil {
			continue
		}
		b.keys.add(id)
		b.revisions, b.instances, b.freed = append(b.revisions, s.revision), append(b.instances, s.instance), b.freed+s.freed
		for _, row := range s.rows {
			b.history.shards = append(b.history.shards, int16(id.Shard()))
			b.history.ids = append(b.history.ids, uuid(id))
			b.history.seqs = append(b.history.seqs, row.seq)
			b.history.facts = append(b.history.facts, row.facts)
		}
	}
	return nil
}

// facts works out the facts without payloads. A saga with a fact that cannot be read keeps all: half of it would not fold.
func (b *blanking) facts(ctx context.Context, tx pgx.Tx, sagas map[saga.ID]*blanked, order []saga.ID) error {
	k := keysOf(order)
	rows, err := tx.Query(ctx, sqlFactsToBlank, k.args()...)
	if err != nil {
		return err
	}
	var (
		id  saga.ID
		seq int64
		raw []byte
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &seq, &raw}, func() error {
		s := sagas[id]
		if s == nil {
			return nil
		}
		out, changed, err := blankFacts(raw)
		if err != nil {
			delete(sagas, id)
			b.unreadable++
			return nil
		}
		if changed {
			s.rows = append(s.rows, blankedFacts{seq, out})
			s.freed += int64(len(raw) - len(out))
		}
		return nil
	})
	return err
}

// blankFacts is a row of history without payloads; changed: it had some.
func blankFacts(raw []byte) (out []byte, changed bool, err error) {
	facts, err := stored.DecodeFacts(raw)
	if err != nil {
		return nil, false, err
	}
	for i := range facts {
		if facts[i].Payloads() {
			facts[i], changed = saga.BlankFact(facts[i]), true
		}
	}
	if !changed {
		return raw, false, nil
	}
	out, err = stored.EncodeFacts(facts)
	return out, true, err
}

// write stores what read has worked out.
func (b *blanking) write(ctx context.Context, tx pgx.Tx) error {
	if h := &b.history; len(h.facts) > 0 {
		var bounds keys
		for _, id := range h.ids {
			bounds.lowest, bounds.upper = widen(bounds.lowest, bounds.upper, id.Bytes)
		}
		_, err := tx.Exec(ctx, sqlBlankFacts, h.shards, h.ids, h.seqs, h.facts, bounds.lowest, bounds.upper, int64(len(h.facts)))
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, sqlBlankSagas, b.keys.shards, b.keys.ids, timestamp(b.at), b.revisions, b.instances, b.keys.lowest, b.keys.upper,
		int64(len(b.instances)))
	return err
}
