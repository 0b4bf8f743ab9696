package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

// record builds a record from fuzzed bytes: every header's value, the key and the value are taken from data in turn.
func record(keys []wire.Header, key, value, data []byte) wire.Record {
	r := wire.Record{Key: key, Value: value}
	for i, h := range keys {
		v := h.Value
		if len(data) > 1 {
			if data[0] == byte(i) {
				n := min(int(data[1]), len(data)-2)
				v, data = data[2:2+n], data[2+n:]
			}
		}
		r.Headers = append(r.Headers, wire.Header{Key: h.Key, Value: v})
	}
	return r
}

func FuzzDecodeCommand(f *testing.F) {
	c := sampleCommand(f)
	good := c.Record("inventory.commands")
	f.Add(good.Key, good.Value, []byte{})
	f.Add(good.Key, []byte(`{`), []byte{12, 1, '9'})
	f.Fuzz(func(t *testing.T, key, value, data []byte) {
		got, err := wire.DecodeCommand(record(good.Headers, key, value, data))
		if err != nil {
			require.NotEmpty(t, problems(t, err))
			return
		}
		again, err := wire.DecodeCommand(got.Record("inventory.commands"))
		require.NoError(t, err, "what was decoded must encode to what can be decoded")
		require.Empty(t, cmp.Diff(got, again))
	})
}

func FuzzDecodeReply(f *testing.F) {
	r := sampleReply(f, wire.Failed)
	r.Code, r.Message, r.RetryAfter = "x", "y", 1e9
	good := r.Record("skald.replies")
	f.Add(good.Key, good.Value, []byte{})
	f.Add(good.Key, []byte(`{}`), []byte{15, 9, 's', 'u', 'c', 'c', 'e', 'e', 'd', 'e', 'd'})
	f.Fuzz(func(t *testing.T, key, value, data []byte) {
		got, err := wire.DecodeReply(record(good.Headers, key, value, data))
		if err != nil {
			require.NotEmpty(t, problems(t, err))
			return
		}
		again, err := wire.DecodeReply(got.Record("skald.replies"))
		require.NoError(t, err, "what was decoded must encode to what can be decoded")
		require.Empty(t, cmp.Diff(got, again))
	})
}
