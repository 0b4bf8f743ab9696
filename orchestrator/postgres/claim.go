package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// claims are those of a begin, as arrays for each of the two tables.
type claims struct {
	all      []orchestrator.Claim
	business keyArrays
	idem     keyArrays
}

type keyArrays struct {
	at                  []int // in all
	tenants, sagas, key []string
	ids                 uuids
	hashes              [][]byte
}

func claimsOf(all []orchestrator.Claim) *claims {
	c := &claims{all: all}
	for i := range all {
		k := &c.business
		if all[i].Kind == orchestrator.ClaimIdempotencyKey {
			k = &c.idem
		}
		k.at = append(k.at, i)
		k.tenants = append(k.tenants, all[i].Tenant)
		k.sagas = append(k.sagas, all[i].Saga)
		k.key = append(k.key, all[i].Key)
		k.ids = append(k.ids, uuid(all[i].ID))
		k.hashes = append(k.hashes, all[i].Hash[:])
	}
	return c
}

func (c *claims) queueInserts(b *pgx.Batch) {
	if k := &c.business; len(k.at) > 0 {
		b.Queue(sqlClaimBusinessKeys, k.tenants, k.sagas, k.key, k.ids, k.hashes)
	}
	if k := &c.idem; len(k.at) > 0 {
		b.Queue(sqlClaimIdempotencyKeys, k.tenants, k.key, k.ids, k.hashes)
	}
}

func (c *claims) queueReads(b *pgx.Batch) {
	if k := &c.business; len(k.at) > 0 {
		b.Queue(sqlReadBusinessKeys, k.tenants, k.sagas, k.key, int64(len(k.at)))
	}
	if k := &c.idem; len(k.at) > 0 {
		b.Queue(sqlReadIdempotencyKeys, k.tenants, k.key, int64(len(k.at)))
	}
}

func (c *claims) read(res pgx.BatchResults) ([]orchestrator.Claimed, error) {
	claimed := make([]orchestrator.Claimed, len(c.all))
	seen := map[orchestrator.Claim]bool{}
	// take judges claim i by the row that is there now. Of two claims of one transaction the first has it.
	take := func(i int, row orchestrator.Claimed, ours bool) {
		key := c.all[i]
		key.ID, key.Hash = saga.ID{}, [32]byte{}
		if ours && !seen[key] {
			row = orchestrator.Claimed{Won: true}
		}
		seen[key] = true
		claimed[i] = row
	}
	if len(c.business.at) > 0 {
		rows, err := res.Query()
		if err != nil {
			return nil, err
		}
		var (
			ord  int64
			row  orchestrator.Claimed
			hash []byte
			ours bool
		)
		_, err = pgx.ForEachRow(rows, []any{&ord, (*[16]byte)(&row.ID), &hash, &ours}, func() error {
			copy(row.Hash[:], hash)
			take(c.business.at[ord-1], row, ours)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(c.idem.at) > 0 {
		rows, err := res.Query()
		if err != nil {
			return nil, err
		}
		var (
			ord          int64
			row          orchestrator.Claimed
			hash, answer []byte
			ours         bool
		)
		_, err = pgx.ForEachRow(rows, []any{&ord, (*[16]byte)(&row.ID), &hash, &answer, &ours}, func() (err error) {
			copy(row.Hash[:], hash)
			if row.Answer, err = stored.DecodePlain(answer); err != nil {
				return err
			}
			take(c.idem.at[ord-1], row, ours)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return claimed, nil
}
