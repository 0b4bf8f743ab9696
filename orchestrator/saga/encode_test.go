package saga_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skaldhq/skald/orchestrator/saga"
)

var rewriteFormats = flag.Bool("rewrite-formats", false, "write the golden files of stored bytes anew; only for a new format")

// full sets every field of a value to something, by reflection, so that a field which the codec forgets shows.
func full(v reflect.Value, n *int64) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMicro(1790000000000000 + *n).UTC()))
		return
	case json.RawMessage:
		v.SetBytes([]byte("{ \"n\": 1.10e1,\t\"text\": \"\\u0000\"}"))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(rune('a'+*n%26)) + "-é")
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(*n * (1 - *n%2*2) * 100) // negative ones too
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			full(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			full(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"b": "2", "a": "", "": "1"}))
	default:
		panic("a kind of field that stored bytes do not know: " + v.Kind().String())
	}
}

func fullInstance() (in saga.Instance) {
	full(reflect.ValueOf(&in).Elem(), new(int64))
	return in
}

func fullFact() (f saga.Fact) {
	full(reflect.ValueOf(&f).Elem(), new(int64))
	return f
}

func TestEncode_EveryFieldIsReadAsItWas(t *testing.T) {
	t.Parallel()
	in, fact := fullInstance(), fullFact()
	b, err := saga.EncodeInstance(in)
	require.NoError(t, err)
	gotInstance, err := saga.DecodeInstance(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(in, gotInstance))
	b, err = saga.EncodeFact(fact)
	require.NoError(t, err)
	gotFact, err := saga.DecodeFact(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(fact, gotFact))
}

func TestEncode_ZeroIsReadAsZero(t *testing.T) {
	t.Parallel()
	b, err := saga.EncodeInstance(saga.Instance{Steps: []saga.StepState{{}, {Forward: saga.Leg{Index: 1}}, {}}})
	require.NoError(t, err)
	in, err := saga.DecodeInstance(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(saga.Instance{Steps: []saga.StepState{{}, {Forward: saga.Leg{Index: 1}}, {}}}, in))
	b, err = saga.EncodeFact(saga.Fact{})
	require.NoError(t, err)
	require.Len(t, b, 1, "what is zero takes no bytes")
}

// What is stored under a format byte stays readable for ever.
func TestEncode_Golden(t *testing.T) {
	t.Parallel()
	instance, err := saga.EncodeInstance(fullInstance())
	require.NoError(t, err)
	fact, err := saga.EncodeFact(fullFact())
	require.NoError(t, err)
	for name, b := range map[string][]byte{"instance-3": instance, "fact-2": fact} {
		path := filepath.Join("testdata", "formats", name+".hex")
		if *rewriteFormats {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o644))
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(text), hex.EncodeToString(b)+"\n", "%s: a field keeps its number; what cannot be read by its number takes a new format", name)
	}
}

func TestDecode_OlderFormats(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "formats", "instance-2.hex"))
	require.NoError(t, err)
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	old, err := saga.DecodeInstance(b)
	require.NoError(t, err)
	require.NotEmpty(t, old.Steps[1].Backward.Payload)
	again, err := saga.EncodeInstance(old)
	require.NoError(t, err)
	require.Less(t, len(again), len(b), "payloads that are the input are not kept again")
	read, err := saga.DecodeInstance(again)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(old, read))
	_, err = saga.DecodeFact(again)
	require.ErrorIs(t, err, saga.ErrFormat, "it is no format of facts")
}

// A newer version's fields are passed over, wherever they stand.
func TestDecode_FieldsOfANewerVersion(t *testing.T) {
	t.Parallel()
	b, err := saga.EncodeFact(saga.Fact{Seq: 1, Why: "because"})
	require.NoError(t, err)
	newer := append(b, 0xf8, 0x3f, 1, 0xf9, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x3f, 2, 'h', 'i') // field 1023 as each kind
	f, err := saga.DecodeFact(newer)
	require.NoError(t, err)
	require.Equal(t, saga.Fact{Seq: 1, Why: "because"}, f)
}

func TestDecode_Refused(t *testing.T) {
	t.Parallel()
	b, err := saga.EncodeInstance(fullInstance())
	require.NoError(t, err)
	refused := map[string][]byte{
		"nothing":               nil,
		"another format":        append([]byte{1}, b[1:]...),
		"cut in its key":        append(b[:len(b):len(b)], 0xff),
		"field 0":               {2, 0x02, 0},
		"a length beyond":       {2, 2<<3 | 2, 200, 1},
		"another kind":          {2, 2 << 3, 1},
		"a kind that is no one": {2, 2<<3 | 7, 1},
		"an id of 3 bytes":      {2, 1<<3 | 2, 3, 1, 2, 3},
	}
	for name, b := range refused {
		_, err := saga.DecodeInstance(b)
		require.ErrorIs(t, err, saga.ErrFormat, name)
	}
	for n := range len(b) - 1 {
		_, _ = saga.DecodeInstance(b[:n]) // a cut between two fields reads as less; none may panic
	}
}

func FuzzDecode(f *testing.F) {
	instance, _ := saga.EncodeInstance(fullInstance())
	fact, _ := saga.EncodeFact(fullFact())
	f.Add(instance)
	f.Add(fact)
	f.Fuzz(func(t *testing.T, b []byte) {
		if in, err := saga.DecodeInstance(b); err == nil {
			again, err := saga.EncodeInstance(in)
			require.NoError(t, err)
			read, err := saga.DecodeInstance(again)
			require.NoError(t, err)
			third, err := saga.EncodeInstance(read)
			require.NoError(t, err)
			require.Equal(t, again, third, "what was read once is written the same for ever")
		}
		_, _ = saga.DecodeFact(b)
	})
}

// Payloads of any bytes come back as they were (S22).
func TestEncode_PayloadBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := json.RawMessage(rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "payload"))
		other := json.RawMessage(rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "other payload"))
		b, err := saga.EncodeInstance(saga.Instance{Input: raw, Steps: []saga.StepState{{Output: raw, Forward: saga.Leg{Payload: raw}, Backward: saga.Leg{Payload: other}}}})
		require.NoError(t, err)
		in, err := saga.DecodeInstance(b)
		require.NoError(t, err)
		require.Equal(t, raw, in.Input)
		require.Equal(t, raw, in.Steps[0].Output)
		require.Equal(t, raw, in.Steps[0].Forward.Payload)
		require.Equal(t, other, in.Steps[0].Backward.Payload)
	})
}

func BenchmarkInstance(b *testing.B) {
	in := ordinaryInstance()
	bytes, err := saga.EncodeInstance(in)
	require.NoError(b, err)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(bytes)), "bytes")
		for b.Loop() {
			_, _ = saga.EncodeInstance(in)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = saga.DecodeInstance(bytes)
		}
	})
}

// ordinaryInstance is a saga of three steps in its second.
func ordinaryInstance() saga.Instance {
	at := time.UnixMicro(1790000000000123).UTC()
	payload := json.RawMessage(`{"order_id":"A-1001","items":[{"sku":"sku-1","quantity":2}],"amount_cents":4200}`)
	leg := saga.Leg{Created: true, Payload: payload, Attempt: 1, Sends: 1, Attempts: 1, SentAt: at, ExpiresAt: at.Add(5 * time.Second), Batch: saga.BatchID{1, 2}, Index: 3}
	answered := leg
	answered.Answer = saga.ReplySucceeded
	return saga.Instance{
		ID: saga.NewID(at, 1, 2), Tenant: "default", Saga: "order-placement", Version: 1, Key: "A-1001", Status: saga.Running, CreatedAt: at, UpdatedAt: at,
		Revision: 2, Seq: 4, EventSeq: 1, Input: payload, Deadline: at.Add(10 * time.Minute), ClockAt: at,
		Steps: []saga.StepState{
			{Status: saga.Succeeded, Effect: saga.EffectCertain, Forward: answered, Output: json.RawMessage(`{"order_id":"A-1001"}`), StartedAt: at, EndedAt: at},
			{Status: saga.InFlight, Effect: saga.EffectPossible, Forward: leg, StartedAt: at},
			{Status: saga.Pending, Effect: saga.EffectNone},
		},
	}
}
