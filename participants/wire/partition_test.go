package wire_test

import (
	"testing"

	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

// The vectors are those of Kafka's own UtilsTest.testMurmur2.
func TestMurmur2_JavaVectors(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		require.Equal(t, want, int32(wire.Murmur2([]byte(key))), key)
		require.Equal(t, (want&0x7fffffff)%12, wire.Partition([]byte(key), 12), key)
	}
}
