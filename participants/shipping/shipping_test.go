package shipping

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

const shipmentsSQL = `SELECT order_id || ' to ' || ship_to FROM shipping.shipments`

func TestShipping_CreatesAShipment(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	order := object{"order_id": "A-1", "items": []object{{"sku": "sku-1", "quantity": 1}}, "ship_to": "Berlin"}
	for range 2 {
		reply := saga.Execute("CreateShipment.v1", order)
		pgtest.Want(t, reply, wire.Succeeded, "")
		require.Regexp(t, `^{"shipment_id":"shp_[0-9a-f]{16}"}$`, string(reply.Value))
	}
	require.Equal(t, []string{"A-1 to Berlin"}, pgtest.Column(t, pool, shipmentsSQL))
}

func TestShipping_WithoutAnAddress(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	reply := participanttest.New(t, p).Execute("CreateShipment.v1", object{"order_id": "A-1", "ship_to": nil})
	pgtest.Want(t, reply, wire.Succeeded, "")
}

func TestShipping_NowhereGoesOnFailing(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	for attempt := range 3 {
		reply := saga.Execute("CreateShipment.v1", object{"order_id": "A-1", "ship_to": "nowhere"}, participanttest.Attempt(attempt+1))
		pgtest.Want(t, reply, wire.Failed, "no_route")
	}
	require.Empty(t, pgtest.Column(t, pool, shipmentsSQL))
}

func TestShipping_InvalidPayload(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	pgtest.Want(t, saga.Execute("CreateShipment.v1", 7), wire.Rejected, wire.CodeInvalidPayload)
	pgtest.Want(t, saga.At("b").Execute("CreateShipment.v1", object{}), wire.Rejected, wire.CodeInvalidPayload)
}

func TestSQL_EveryStatementPrepares(t *testing.T) {
	t.Parallel()
	pgtest.Prepares(t, pgtest.Database(t, Setup), createShipmentsSQL, insertShipmentSQL)
}
