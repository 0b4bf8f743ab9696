package orders

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/participants/internal/pgtest"
	"github.com/skaldhq/skald/participants/participanttest"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object map[string]any

func order(id string) object {
	return object{"order_id": id, "customer_id": "c-1", "items": []object{{"sku": "sku-1", "quantity": 2}}}
}

const statusSQL = `SELECT order_id || ' ' || status FROM orders.orders ORDER BY order_id`

func TestOrders_CreateConfirm(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	reply := saga.At("create-order").Execute("CreateOrder.v1", order("A-1"))
	pgtest.Want(t, reply, wire.Succeeded, "")
	require.JSONEq(t, `{"order_id": "A-1", "status": "created"}`, string(reply.Value))
	reply = saga.At("confirm-order").Execute("ConfirmOrder.v1", object{"order_id": "A-1"})
	pgtest.Want(t, reply, wire.Succeeded, "")
	require.JSONEq(t, `{"order_id": "A-1", "status": "confirmed"}`, string(reply.Value))
	require.Equal(t, []string{"A-1 confirmed"}, pgtest.Column(t, pool, statusSQL))
	require.Equal(t, []string{`[{"quantity":2,"sku":"sku-1"}]`}, pgtest.Column(t, pool, `SELECT items::text FROM orders.orders`))
}

func TestOrders_CancelAndTakeTheIDAgain(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	first, second := participanttest.New(t, p), participanttest.New(t, p)
	first.Execute("CreateOrder.v1", order("A-1"))
	pgtest.Want(t, second.Execute("CreateOrder.v1", order("A-1")), wire.Rejected, "order_exists")
	pgtest.Want(t, first.Compensate("CancelOrder.v1", object{"order_id": "A-1"}), wire.Succeeded, "")
	require.Equal(t, []string{"A-1 cancelled"}, pgtest.Column(t, pool, statusSQL))
	pgtest.Want(t, first.At("confirm").Execute("ConfirmOrder.v1", object{"order_id": "A-1"}), wire.Rejected, "order_not_open")
	pgtest.Want(t, second.Execute("CreateOrder.v1", order("A-1"), participanttest.Edition(1)), wire.Succeeded, "")
	require.Equal(t, []string{"A-1 created"}, pgtest.Column(t, pool, statusSQL))
}

func TestOrders_AnotherSagasOrderIsNotMoved(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	participanttest.New(t, p).Execute("CreateOrder.v1", order("A-1"))
	other := participanttest.New(t, p)
	pgtest.Want(t, other.Execute("ConfirmOrder.v1", object{"order_id": "A-1"}), wire.Rejected, "order_not_open")
}

func TestOrders_TenantsDoNotMeet(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	for _, tenant := range []string{"default", "other"} {
		saga := participanttest.New(t, p)
		c := saga.Command(wire.Execute, "CreateOrder.v1", order("A-1"))
		c.Tenant = tenant
		reply, err := saga.Answer(t.Context(), c)
		require.NoError(t, err)
		pgtest.Want(t, reply, wire.Succeeded, "")
	}
}

func TestOrders_InvalidPayload(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	pgtest.Want(t, saga.Execute("CreateOrder.v1", object{}), wire.Rejected, wire.CodeInvalidPayload)
	pgtest.Want(t, saga.At("a").Execute("CreateOrder.v1", 7), wire.Rejected, wire.CodeInvalidPayload)
	pgtest.Want(t, saga.At("b").Execute("ConfirmOrder.v1", 7), wire.Rejected, wire.CodeInvalidPayload)
}

func TestSQL_EveryStatementPrepares(t *testing.T) {
	t.Parallel()
	pgtest.Prepares(t, pgtest.Database(t, Setup), createTablesSQL, insertOrderSQL, moveOrderSQL)
}
