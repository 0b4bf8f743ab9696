package wire_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

func sagaID(t testing.TB) wire.ID {
	t.Helper()
	id, err := wire.ParseID("019a0b0c-0d0e-7f10-9112-131415161718")
	require.NoError(t, err)
	return id
}

func replyID(t testing.TB) wire.ID {
	t.Helper()
	id, err := wire.ParseID("0d0c0b0a-1111-4222-8333-444455556666")
	require.NoError(t, err)
	return id
}

func keyring(t testing.TB) *wire.Keyring {
	t.Helper()
	ring, err := wire.ParseKeyring("k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	require.NoError(t, err)
	return ring
}

func sampleCommand(t testing.TB) wire.Command {
	t.Helper()
	saga := sagaID(t)
	id := wire.CommandID(saga, "reserve-items", wire.Execute, 0)
	return wire.Command{
		ID:            id,
		Source:        "/skald/dev",
		Participant:   "inventory",
		Name:          "ReserveItems.v1",
		SagaID:        saga,
		SagaType:      "order-placement",
		SagaVersion:   1,
		Step:          "reserve-items",
		Verb:          wire.Execute,
		Tenant:        "default",
		Attempt:       2,
		Edition:       0,
		Token:         keyring(t).Sign("default", saga, id, "inventory"),
		ReplyTo:       "skald.replies",
		Time:          time.Date(2026, 10, 1, 12, 0, 0, 123456000, time.UTC),
		Expiry:        time.Date(2026, 10, 1, 12, 0, 5, 123456000, time.UTC),
		CorrelationID: "A-1001",
		TraceParent:   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		TraceState:    "vendor=1",
		Value:         []byte(`{"order_id":"A-1001","items":[{"sku":"sku-1","quantity":2}]}`),
	}
}

func sampleReply(t testing.TB, outcome wire.Outcome) wire.Reply {
	t.Helper()
	c := sampleCommand(t)
	r := wire.ReplyTo(&c, replyID(t), time.Date(2026, 10, 1, 12, 0, 1, 0, time.UTC))
	r.Outcome = outcome
	r.TraceParent = c.TraceParent
	return r
}

// dump is the readable form of a record that the golden files hold.
func dump(r wire.Record) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "topic: %s\nkey: %s\n", r.Topic, r.Key)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(&b, "\n%s\n", r.Value)
	return b.Bytes()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), string(got), "the wire format changed: a new version line in doc.go, and -update")
}
