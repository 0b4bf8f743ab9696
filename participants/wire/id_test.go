package wire_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	const text = "019a0b0c-0d0e-7f10-9112-131415161718"
	id, err := wire.ParseID(strings.ToUpper(text))
	require.NoError(t, err)
	require.Equal(t, text, id.String())

	var back wire.ID
	encoded, err := id.MarshalText()
	require.NoError(t, err)
	require.NoError(t, back.UnmarshalText(encoded))
	require.Equal(t, id, back)

	for _, bad := range []string{
		"", "019a0b0c0d0e7f109112131415161718", "{" + text + "}", "urn:uuid:" + text, text[:35] + "g",
		"019a0b0c-0d0e-7f10-9112-1314151617-8", "00000000-0000-0000-0000-000000000000",
	} {
		_, err := wire.ParseID(bad)
		require.Error(t, err, bad)
	}
	require.Error(t, back.UnmarshalText([]byte("x")))
}

// The id is computed alike by every SDK: another implementation of UUIDv5 is the oracle.
func TestCommandID_IsUUIDv5(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var saga wire.ID
		copy(saga[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "saga"))
		step := rapid.StringMatching(`[a-z][a-z0-9-]{0,20}`).Draw(t, "step")
		verb := rapid.SampledFrom([]wire.Verb{wire.Execute, wire.Compensate, wire.Probe}).Draw(t, "verb")
		edition := rapid.SampledFrom([]int{0, 1, 2, 10, 1000}).Draw(t, "edition")
		name := step + "\x00" + string(verb) + "\x00" + map[int]string{0: "0", 1: "1", 2: "2", 10: "10", 1000: "1000"}[edition]
		want := uuid.NewSHA1(uuid.UUID(saga), []byte(name))
		require.Equal(t, want.String(), wire.CommandID(saga, step, verb, edition).String())
	})
}

func TestRandomID(t *testing.T) {
	t.Parallel()
	a, b := wire.RandomID(), wire.RandomID()
	require.NotEqual(t, a, b)
	parsed, err := uuid.Parse(a.String())
	require.NoError(t, err)
	require.EqualValues(t, 4, parsed.Version())
	require.Equal(t, uuid.RFC4122, parsed.Variant())
}
