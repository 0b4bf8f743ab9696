package stored

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// golden is a sample of each format, as the newest encoder writes it.
func golden(t *testing.T) map[string][]byte {
	records, err := EncodeRecords(sampleRecords())
	require.NoError(t, err)
	audit, err := EncodeAudit(sampleAudit())
	require.NoError(t, err)
	operation, err := EncodeOperation(sampleOperation())
	require.NoError(t, err)
	facts, err := EncodeFacts(sampleFacts())
	require.NoError(t, err)
	return map[string][]byte{
		"records-2":   records,
		"facts-1":     facts,
		"headers-1":   EncodeHeaders(sampleRecords()[0].Headers),
		"acks-2":      EncodeAcks(committedAcks()),
		"acks-1":      append(EncodeAcks(sampleAcks()[:2]), EncodeAcks(sampleAcks()[2:])...),
		"audit-1":     audit,
		"operation-1": operation,
		"plain-1":     EncodePlain([]byte(`{"a": 1e400}`)),
	}
}

func sampleRecords() []orchestrator.Record {
	id := saga.NewID(time.UnixMilli(1790000000000), 7, 9)
	return []orchestrator.Record{
		{
			Kind:    orchestrator.RecordCommand,
			Topic:   "inventory.commands",
			Key:     []byte(id.String()),
			Value:   []byte(`{"sku": "\u0000"}`),
			Headers: []orchestrator.Header{{Key: "ce_id", Value: []byte{0, 255}}, {Key: "empty", Value: []byte{}}, {Key: "none"}},
			Saga:    id,
			Step:    "reserve-items",
			Verb:    saga.Compensate,
			Edition: 2,
			Attempt: 300,
		},
		{Kind: orchestrator.RecordEvent, Topic: "skald.events", Value: []byte{}},
		{Kind: orchestrator.RecordCommand, Verb: saga.Probe},
	}
}

func sampleFacts() []saga.Fact {
	return []saga.Fact{
		{Seq: 7, Type: saga.StepSucceeded, Step: "reserve-items", Attempt: 2, Effect: saga.EffectCertain},
		{Seq: 8, Type: saga.StepStarted, Step: "charge-payment"},
	}
}

// committedAcks know when they were committed.
func committedAcks() []orchestrator.Acked {
	acked := sampleAcks()
	for i := range acked {
		acked[i].CommittedAt = acked[0].At.Add(-3 * time.Millisecond)
	}
	return acked
}

func sampleAcks() []orchestrator.Acked {
	at := time.UnixMicro(1790000000000123).UTC()
	return []orchestrator.Acked{
		{Index: 0, Partition: 3, Offset: 1 << 40, At: at},
		{Index: 511, Partition: 0, Offset: 0, At: at.Add(-time.Second)},
		{Index: 2, Partition: 11, Offset: 7, At: at.Add(time.Hour)},
	}
}

func sampleAudit() (orchestrator.Audit, time.Time) {
	return orchestrator.Audit{
		Tenant: "default",
		Actor:  "ada",
		Action: "saga.cancel",
		Saga:   saga.NewID(time.UnixMilli(1790000000000), 7, 9),
		Target: "reserve-items",
		Reason: "ordered twice",
		Before: 3,
		After:  4,
		Detail: json.RawMessage(`{"a":1}`),
	}, time.UnixMicro(1790000000000123).UTC()
}

// Bytes of every format that was ever written stay readable. Run with -rewrite only for a new format.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, b := range golden(t) {
		path := filepath.Join("testdata", name+".hex")
		if *rewrite {
			require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o644))
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(text), hex.EncodeToString(b)+"\n", "%s: what is stored under a format byte never changes; take a new one", name)
	}
}

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	require.NoError(t, err)
	b, err := hex.DecodeString(string(text[:len(text)-1]))
	require.NoError(t, err)
	return b
}

func TestDecode(t *testing.T) {
	t.Parallel()
	equal := func(want, got any) {
		t.Helper()
		require.Empty(t, cmp.Diff(want, got)) // without EquateEmpty: nil and empty differ
	}
	for _, format := range []string{"records-1", "records-2"} {
		records, err := DecodeRecords(read(t, format))
		require.NoError(t, err)
		equal(sampleRecords(), records)
	}
	headers, err := DecodeHeaders(read(t, "headers-1"))
	require.NoError(t, err)
	equal(sampleRecords()[0].Headers, headers)
	acks, err := DecodeAcks(read(t, "acks-1"))
	require.NoError(t, err)
	s := sampleAcks()
	equal(map[int]orchestrator.Acked{0: s[0], 511: s[1], 2: s[2]}, acks)
	acks, err = DecodeAcks(read(t, "acks-2"))
	require.NoError(t, err)
	s = committedAcks()
	equal(map[int]orchestrator.Acked{0: s[0], 511: s[1], 2: s[2]}, acks)
	facts, err := DecodeFacts(read(t, "facts-1"))
	require.NoError(t, err)
	equal(sampleFacts(), facts)
	a, at, err := DecodeAudit(read(t, "audit-1"))
	require.NoError(t, err)
	want, wantAt := sampleAudit()
	equal(want, a)
	equal(wantAt, at)
	plain, err := DecodePlain(read(t, "plain-1"))
	require.NoError(t, err)
	equal(json.RawMessage(`{"a": 1e400}`), plain)
}

// Every cut and every wrong format byte is an error, and none a panic.
func TestDecode_CutShort(t *testing.T) {
	t.Parallel()
	decoders := map[string]func([]byte) error{
		"records-2":   func(b []byte) error { _, err := DecodeRecords(b); return err },
		"facts-1":     func(b []byte) error { _, err := DecodeFacts(b); return err },
		"headers-1":   func(b []byte) error { _, err := DecodeHeaders(b); return err },
		"audit-1":     func(b []byte) error { _, _, err := DecodeAudit(b); return err },
		"plain-1":     func(b []byte) error { _, err := DecodePlain(b); return err },
		"acks-2":      func(b []byte) error { _, err := DecodeAcks(b); return err },
		"acks-1":      func(b []byte) error { _, err := DecodeAcks(b); return err },
		"operation-1": func(b []byte) error { _, err := DecodeOperation(b); return err },
	}
	blocks := len(EncodeAcks(sampleAcks()[:2]))
	for name, decode := range decoders {
		b := read(t, name)
		require.NoError(t, decode(b), name)
		for n := range b {
			if name == "plain-1" && n > 0 || strings.HasPrefix(name, "acks-") && n == 0 || name == "acks-1" && n == blocks {
				continue // whole values
			}
			require.ErrorIs(t, decode(b[:n:n]), ErrFormat, "%s cut to %d bytes", name, n)
		}
		b[0] ^= 0x40
		require.ErrorIs(t, decode(b), ErrFormat, name)
	}
}

// A damaged row that claims to hold many records costs no memory for them.
func TestDecodeRecords_ACountThatLies(t *testing.T) {
	const n = 1 << 20
	b := append(binary.AppendUvarint([]byte{recordsPlain}, n), make([]byte, n*(leastRecord-1))...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := DecodeRecords(b)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ErrFormat)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(n))
	records, err := DecodeRecords(append(b, make([]byte, n)...))
	require.NoError(t, err, "a byte for each part is enough")
	require.Len(t, records, n)
}

func FuzzDecodeRecords(f *testing.F) {
	b, err := EncodeRecords(sampleRecords())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 && b[0] == recordsFormat {
			if n, err := s2.DecodedLen(b[1:]); err == nil && n > 1<<20 {
				return // rows are the engine's own and may be large; here they only take time
			}
		}
		records, err := DecodeRecords(b)
		if err != nil {
			return
		}
		again, err := EncodeRecords(records)
		require.NoError(t, err)
		same, err := DecodeRecords(again)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(records, same))
	})
}

func sampleOperation() orchestrator.OperationRequest {
	return orchestrator.OperationRequest{
		Action: saga.ActionRetry, Step: "charge", Payload: json.RawMessage(`{"n":1.10e1}`), Reason: "it is back", Rate: 20,
		Filter: orchestrator.OperationFilter{
			Saga: "order", Statuses: []saga.Status{saga.Suspended}, Attention: "any", BlockedOn: saga.CauseAttention, Labels: map[string]string{"shop": "b"},
			CreatedAfter: time.Date(2026, 11, 2, 3, 4, 5, 6000, time.UTC),
		},
	}
}

func TestOperation_IsReadAsItWas(t *testing.T) {
	t.Parallel()
	got, err := DecodeOperation(read(t, "operation-1"))
	require.NoError(t, err)
	require.Equal(t, sampleOperation(), got)
}
