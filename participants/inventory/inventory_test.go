package inventory

import (
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/participants/internal/pgtest"
	"github.com/skaldhq/skald/participants/participanttest"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object map[string]any

func items(lines ...object) object { return object{"order_id": "A-1", "items": lines} }

func item(sku string, quantity int) object { return object{"sku": sku, "quantity": quantity} }

func undo(payload object) object { return object{"payload": payload, "output": nil} }

const reservationsSQL = `SELECT sku || ' ' || quantity || ' ' || status FROM inventory.reservations ORDER BY sku`

func TestInventory_ReserveAndRelease(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	order := items(item("sku-2", 1), item("sku-1", 2), item("sku-2", 3))
	reply := saga.Execute("ReserveItems.v1", order)
	pgtest.Want(t, reply, wire.Succeeded, "")
	var out output
	require.NoError(t, json.Unmarshal(reply.Value, &out))
	require.Regexp(t, `^rsv_[0-9a-f]{16}$`, out.ReservationID)
	require.Equal(t, []string{"sku-1 2 reserved", "sku-2 4 reserved"}, pgtest.Column(t, pool, reservationsSQL))
	pgtest.Want(t, saga.Compensate("ReleaseItems.v1", undo(order)), wire.Succeeded, "")
	require.Equal(t, []string{"sku-1 2 released", "sku-2 4 released"}, pgtest.Column(t, pool, reservationsSQL))
}

func TestInventory_SoldOut(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	order := items(item("sku-1", 1), item("sku-sold-out", 1))
	reply := saga.Execute("ReserveItems.v1", order)
	pgtest.Want(t, reply, wire.Rejected, "sold_out")
	require.Contains(t, reply.Message, "sku-sold-out")
	require.Empty(t, pgtest.Column(t, pool, reservationsSQL))
	pgtest.Want(t, saga.Compensate("ReleaseItems.v1", undo(order)), wire.Succeeded, wire.CodeNothingToUndo)
}

func TestInventory_LimitedStockNeverGoesBelowZero(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	_, err := pool.Exec(t.Context(), `INSERT INTO inventory.stock VALUES ('default', 'sku-a', 5), ('default', 'sku-b', 5)`)
	require.NoError(t, err)
	var group sync.WaitGroup
	sagas := make([]*participanttest.Saga, 10)
	outcomes := make([]wire.Outcome, len(sagas))
	orders := []object{items(item("sku-a", 1), item("sku-b", 1)), items(item("sku-b", 1), item("sku-a", 1))}
	for i := range sagas {
		sagas[i] = participanttest.New(t, p)
		group.Go(func() { outcomes[i] = sagas[i].Execute("ReserveItems.v1", orders[i%2]).Outcome })
	}
	group.Wait()
	count := map[wire.Outcome]int{}
	for _, outcome := range outcomes {
		count[outcome]++
	}
	require.Equal(t, map[wire.Outcome]int{wire.Succeeded: 5, wire.Rejected: 5}, count)
	for i, outcome := range outcomes {
		if outcome == wire.Succeeded {
			pgtest.Want(t, sagas[i].Compensate("ReleaseItems.v1", undo(orders[i%2])), wire.Succeeded, "")
		}
	}
	require.Equal(t, []string{"5", "5"}, pgtest.Column(t, pool, `SELECT on_hand::text FROM inventory.stock ORDER BY sku`))
}

func TestInventory_InvalidPayload(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	for step, bad := range map[string]any{
		"a": 7, "b": items(), "c": items(item("sku-1", 0)), "d": items(item("", 1)), "e": object{"items": []object{item("sku-1", 1)}},
	} {
		pgtest.Want(t, saga.At(step).Execute("ReserveItems.v1", bad), wire.Rejected, wire.CodeInvalidPayload)
	}
}

func TestInventory_ReservationThatIsGone(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	order := items(item("sku-1", 1))
	saga.Execute("ReserveItems.v1", order)
	_, err := pool.Exec(t.Context(), `DELETE FROM inventory.reservations`)
	require.NoError(t, err)
	pgtest.Want(t, saga.Compensate("ReleaseItems.v1", undo(order)), wire.Rejected, "reservation_unknown")
}

func TestSQL_EveryStatementPrepares(t *testing.T) {
	t.Parallel()
	pgtest.Prepares(t, pgtest.Database(t, Setup), createStockSQL, createReservationsSQL, seedStockSQL, limitedStockSQL,
		addStockSQL, insertReservationsSQL, releaseReservationsSQL)
}
