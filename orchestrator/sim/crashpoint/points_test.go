package crashpoint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, want := range []At{
		{Point: StartBegin},
		{Point: ReplyUnknown, N: 3},
		{Point: RelayAcked, N: 1, Phase: Attention},
	} {
		got, err := Parse(want.String())
		require.NoError(t, err)
		require.Equal(t, At{want.Point, want.Phase, max(want.N, 1)}, got)
	}
	got, err := Parse("draining")
	require.NoError(t, err)
	require.Equal(t, At{Point: Draining}, got)
	for _, wrong := range []string{"", "nowhere", "draining:0", "draining:x", "draining:1:sideways", "draining:1:forward:2"} {
		_, err := Parse(wrong)
		require.Error(t, err, wrong)
	}
}

// The reference names 26 points, of which the one about leases has no counterpart.
func TestAll(t *testing.T) {
	t.Parallel()
	seen := map[Point]bool{}
	for _, p := range All() {
		require.False(t, seen[p], "%s is listed twice", p)
		seen[p] = true
	}
	require.Len(t, seen, 25)
}
