package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// The types of array parameters, in a form that pgx encodes without reflection on each element.
type (
	uuids = pgtype.FlatArray[pgtype.UUID]
	times = pgtype.FlatArray[pgtype.Timestamptz]
)

func uuid[T ~[16]byte](id T) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// uuidOrNull is NULL for the zero id.
func uuidOrNull[T ~[16]byte](id T) pgtype.UUID {
	return pgtype.UUID{Bytes: id, Valid: [16]byte(id) != [16]byte{}}
}

func timestamp(t time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: t, Valid: true} }

// timestampOrNull is NULL for the zero time.
func timestampOrNull(t time.Time) pgtype.Timestamptz {
	return pgtype.Timestamptz{Time: t, Valid: !t.IsZero()}
}

func timeOf(t pgtype.Timestamptz) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}

// keys are the parameters of statements that name sagas: their shards, their ids, the bounds of the
// ids, and how many they are.
type keys struct {
	shards        []int16
	ids           uuids
	lowest, upper pgtype.UUID
}

func keysOf(ids []saga.ID) keys {
	k := keys{shards: make([]int16, 0, len(ids)), ids: make(uuids, 0, len(ids))}
	for _, id := range ids {
		k.add(id)
	}
	return k
}

func (k *keys) add(id saga.ID) {
	k.shards = append(k.shards, int16(id.Shard()))
	k.ids = append(k.ids, uuid(id))
	k.lowest, k.upper = widen(k.lowest, k.upper, id)
}

func (k *keys) args() []any { return []any{k.shards, k.ids, k.lowest, k.upper, int64(len(k.ids))} }

// widen stretches the bounds so that they hold id; bounds that hold nothing yet are NULL.
func widen(lowest, upper pgtype.UUID, id [16]byte) (pgtype.UUID, pgtype.UUID) {
	if !lowest.Valid || less(id, lowest.Bytes) {
		lowest = uuid(id)
	}
	if !upper.Valid || less(upper.Bytes, id) {
		upper = uuid(id)
	}
	return lowest, upper
}

func less(a, b [16]byte) bool { return string(a[:]) < string(b[:]) }
