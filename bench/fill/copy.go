package fill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// original is a stored saga, to be copied.
type original struct {
	status    string
	verdict   *string
	revision  int64
	wakeAt    *time.Time
	attention []string
	causes    []string
	waits     []string
	instance  saga.Instance
	history   []entry
}

type entry struct {
	seq   int64
	facts []byte
}

func read(ctx context.Context, conn *pgx.Conn, id saga.ID) (*original, error) {
	var (
		o     original
		bytes []byte
	)
	err := conn.QueryRow(ctx, `SELECT status, verdict, revision, wake_at, attention, causes, waits, instance FROM skald.sagas WHERE id = $1`, id.String()).
		Scan(&o.status, &o.verdict, &o.revision, &o.wakeAt, &o.attention, &o.causes, &o.waits, &bytes)
	if err != nil {
		return nil, err
	}
	if o.instance, err = saga.DecodeInstance(bytes); err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, `SELECT seq, facts FROM skald.history WHERE saga_id = $1 ORDER BY seq`, id.String())
	if err != nil {
		return nil, err
	}
	var e entry
	_, err = pgx.ForEachRow(rows, []any{&e.seq, &e.facts}, func() error {
		o.history = append(o.history, entry{e.seq, append([]byte(nil), e.facts...)})
		return nil
	})
	return &o, err
}

// Key is the business key of saga n, and Customer one of its labels. Both are spread over all ages and states.
func Key(n int) string { return fmt.Sprintf("K-%07d", n) }

// Customer is a label's value that 200 sagas have, or fewer.
func Customer(n, stored int) string { return fmt.Sprintf("c-%d", n%max(stored/200, 1)) }

// Name is the definition of saga n.
func Name(n int) string {
	switch {
	case n%10_000 == 7:
		return Rare
	case n%10 == 3:
		return Second
	}
	return Common
}

// stateOf is what saga n of all has come to. Those that wait are spread evenly.
func stateOf(n int, cfg *Config) state {
	if cfg.Waiting > 0 {
		if before, now := n*cfg.Waiting/cfg.Stored, (n+1)*cfg.Waiting/cfg.Stored; now > before {
			return waitingState(before)
		}
	}
	switch {
	case n%50 == 1:
		return compensated
	case n%1000 == 2:
		return abandoned
	}
	return completed
}

func waitingState(n int) state {
	switch {
	case n%100 == 1:
		return backingOff
	case n%100 == 2:
		return undoing
	case n%200 == 3:
		return held
	case n%1000 == 4:
		return suspended
	}
	return []state{waitingOne, waitingTwo, waitingThree}[n%3]
}

// together is how many sagas go into one COPY.
const together = 5000

// sharing is how many sagas' rows of history name the same transaction, as they do under load.
const sharing = 16

// copies stores the copies, oldest first.
func copies(ctx context.Context, conn *pgx.Conn, cfg *Config, originals map[state]*original, now time.Time) error {
	random := rand.New(rand.NewPCG(1, uint64(cfg.Stored))) // the same database each time, but for its age
	span := time.Duration(cfg.Weeks) * 7 * 24 * time.Hour
	for first := 0; first < cfg.Stored; first += together {
		var sagas, history, keys [][]any
		batches := map[int]string{}
		for n := first; n < min(first+together, cfg.Stored); n++ {
			at := now.Add(-span + time.Duration(float64(span)*float64(n)/float64(cfg.Stored))).Truncate(time.Microsecond)
			name, key := Name(n), Key(n)
			id := saga.NewID(at, saga.ShardOf(Tenant, name, key), random.Uint64())
			o := originals[stateOf(n, cfg)]
			in := o.instance
			in.ID, in.Saga, in.Key, in.CreatedAt = id, name, key, at
			in.Labels = map[string]string{"region": []string{"eu", "us", "ap"}[n%3], "customer": Customer(n, cfg.Stored)}
			if n%1000 == 11 {
				in.Labels["vip"] = "yes"
			}
			bytes, err := saga.EncodeInstance(in)
			if err != nil {
				return fmt.Errorf("encode saga %d: %w", n, err)
			}
			shard := int16(id.Shard())
			sagas = append(sagas, []any{
				shard, id.String(), Tenant, name, 1, key, o.status, o.verdict, o.revision, at, o.wakeAt, in.Labels, o.attention, o.causes, o.waits, []string{}, bytes,
			})
			keys = append(keys, []any{Tenant, name, key, id.String(), make([]byte, 32)})
			for i, e := range o.history {
				transaction := n/sharing*16 + i
				if batches[transaction] == "" {
					batches[transaction] = saga.NewID(at, uint16(i), random.Uint64()).String()
				}
				history = append(history, []any{shard, id.String(), e.seq, batches[transaction], e.facts})
			}
		}
		for _, each := range []struct {
			table   string
			columns []string
			rows    [][]any
		}{
			{"sagas", []string{
				"shard", "id", "tenant", "saga", "version", "key", "status", "verdict", "revision", "created_at", "wake_at", "labels", "attention", "causes", "waits", "batches",
				"instance",
			}, sagas},
			{"history", []string{"shard", "saga_id", "seq", "batch", "facts"}, history},
			{"business_keys", []string{"tenant", "saga", "key", "id", "hash"}, keys},
		} {
			if _, err := conn.CopyFrom(ctx, pgx.Identifier{"skald", each.table}, each.columns, pgx.CopyFromRows(each.rows)); err != nil {
				return fmt.Errorf("copy into %s: %w", each.table, err)
			}
		}
		cfg.Progress(min(first+together, cfg.Stored))
	}
	return nil
}
