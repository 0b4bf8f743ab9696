package load

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator/definition"
)

// Each sample definition takes the sample order.
func TestOrder_FitsTheSampleDefinitions(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(configs.Definitions(), "*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		src, err := fs.ReadFile(configs.Definitions(), file)
		require.NoError(t, err)
		def, err := definition.Read(file, src)
		require.NoError(t, err)
		for _, declined := range []bool{false, true} {
			require.NoError(t, def.Input.Validate(Order("run-1", 7, declined)), file)
		}
	}
}

func TestOrder_IsNewEachTime(t *testing.T) {
	t.Parallel()
	var a, b struct {
		OrderID string `json:"order_id"`
		Token   string `json:"payment_token"`
	}
	require.NoError(t, json.Unmarshal(Order("r", 1, false), &a))
	require.NoError(t, json.Unmarshal(Order("r", 2, true), &b))
	require.NotEqual(t, a.OrderID, b.OrderID)
	require.Equal(t, "tok_ok", a.Token)
	require.Equal(t, "tok_declined", b.Token)
}

func TestEvery_IsTheShareAndSpreadEvenly(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]int{0: 0, 0.1: 100, 0.25: 250, 1: 1000} {
		n, longest, since := 0, 0, 0
		for i := range int64(1000) {
			since++
			if Every(i, share) {
				n++
				longest, since = max(longest, since), 0
			}
		}
		require.Equal(t, want, n, "share %v", share)
		if share > 0 {
			require.LessOrEqual(t, float64(longest), 1/share+1, "share %v", share)
		}
	}
}
