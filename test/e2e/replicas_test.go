package e2e

import (
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

// TestReplicas: two replicas and four participants, each a process of its own, share 1,000 sagas of which a tenth is refused.
func TestReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	s := stack.New(t)
	s.Participants()
	a, b := s.Serve(), s.Serve()
	a.Ready(t)
	b.Ready(t)
	src, err := fs.ReadFile(configs.Definitions(), configs.DefinitionPlacement)
	require.NoError(t, err)
	_, _, err = a.PutDefinition(t.Context(), "order-placement", 1, src, true)
	require.NoError(t, err)
	orders := stack.Orders("replicas", 1000)
	load := &stack.Load{Saga: "order-placement", Replicas: []*client.Client{a.Client, b.Client}}
	ids, err := load.Place(t.Context(), orders)
	require.NoError(t, err)
	s.AllEnded(b.Client, orders, ids, 2*time.Minute)
	s.Audit()
}
