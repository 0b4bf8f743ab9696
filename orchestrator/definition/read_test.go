package definition

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(name)
	require.NoError(t, err)
	return src
}

func orderPlacement(t testing.TB) *saga.Definition {
	t.Helper()
	d, err := Read("order-placement.yaml", readFile(t, "testdata/order-placement.yaml"))
	require.NoError(t, err)
	return d
}

func TestRead_OrderPlacement(t *testing.T) {
	t.Parallel()
	d := orderPlacement(t)
	require.Equal(t, "order-placement", d.Name)
	require.Equal(t, 1, d.Version)
	require.Equal(t, "Places an order, or leaves no trace of it.", d.Description)
	require.Equal(t, 10*time.Minute, d.Deadline)
	require.Equal(t, saga.EventsLifecycle, d.Events)
	require.Equal(t, 3, d.PivotIndex())
	require.Len(t, d.Steps, 5)
	charge := d.Steps[1]
	require.Equal(t, []int{0}, charge.After)
	require.Equal(t, 5*time.Second, charge.Timeout)
	require.Equal(t, saga.Retry{MaxAttempts: 5, Initial: 200 * time.Millisecond, Multiplier: 2, Max: 10 * time.Second, Jitter: 0.2}, charge.Retry)
	require.Equal(t, charge.Retry, charge.Compensation.Retry)
	require.Nil(t, charge.Compensation.Payload, "no payload of its own: the engine forms it")
	require.NotNil(t, d.Steps[0].Compensation.Payload)
	require.Equal(t, saga.Retriable, d.Steps[4].Kind)
}
