package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestCursor_LeadsBackOnlyWhereItCameFrom(t *testing.T) {
	t.Parallel()
	id := saga.NewID(testTime, 1, 2)
	got, err := readIDCursor("filters", idCursor("filters", id))
	require.NoError(t, err)
	require.Equal(t, id, got)
	n, err := readNumberCursor(cursorHistory, "s", numberCursor(cursorHistory, "s", 77))
	require.NoError(t, err)
	require.Equal(t, int64(77), n)

	cursor := idCursor("filters", id)
	for name, bad := range map[string]string{
		"OtherFilters": idCursor("others", id), "OtherKind": encodeCursor(cursorHistory, "filters", id[:]),
		"Short": cursor[:len(cursor)-2], "Long": cursor + "AA", "Padded": cursor + "=", "Line": cursor + "\n", "Zero": idCursor("filters", saga.ID{}), "Empty": "",
	} {
		_, err := readIDCursor("filters", bad)
		require.ErrorIs(t, err, errCursor, name)
	}
	for _, n := range []int64{0, -1} {
		_, err = readNumberCursor(cursorHistory, "s", numberCursor(cursorHistory, "s", n))
		require.ErrorIs(t, err, errCursor)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("", "")
	f.Add("a", idCursor("a", saga.NewID(testTime, 1, 2)))
	f.Add("a", numberCursor(cursorHistory, "a", 5))
	f.Fuzz(func(t *testing.T, scope, cursor string) {
		if id, err := readIDCursor(scope, cursor); err == nil {
			require.Equal(t, cursor, idCursor(scope, id), "a cursor that is taken is one that was given out")
		}
		for _, kind := range []byte{cursorHistory, cursorQuarantine} {
			if n, err := readNumberCursor(kind, scope, cursor); err == nil {
				require.Positive(t, n)
				require.Equal(t, cursor, numberCursor(kind, scope, n))
			}
		}
	})
}

func FuzzOffsets(f *testing.F) {
	f.Add("0:12,1:44")
	f.Add("1:1,1:2")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := parseOffsets(s)
		if err != nil {
			return
		}
		again, err := parseOffsets(o.String())
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}

func TestOffsets_Refused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", ":", "0", "0:", "0:-1", "-1:0", "0:1,", "0:1,0:2", "x:1", "4294967296:1", strings.Repeat("9", 30) + ":1"} {
		_, err := parseOffsets(s)
		require.ErrorIs(t, err, errOffsets, s)
	}
}

func FuzzShallow(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"]}\""}]}`))
	f.Fuzz(func(_ *testing.T, raw []byte) { shallow(raw, 3) })
}

func TestShallow(t *testing.T) {
	t.Parallel()
	require.True(t, shallow([]byte(`{"a":[{"b":"[[[[\"[["}]}`), 3))
	require.False(t, shallow([]byte(`{"a":[{"b":[]}]}`), 3))
	require.True(t, shallow([]byte(`[[],[],[],[[]]]`), 3))
}
