package wire_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

// The files of testdata are for every SDK: *.golden are whole records, *.json are cases on them. This package and the Python SDK read
// the same; -update writes what is computed, and never a verdict that was not asserted elsewhere in this package.

// change is a record as its golden file has it, but for what is said here.
type change struct {
	Name      string            `json:"name"`
	Base      string            `json:"base"`                 // command-execute.golden without its ending
	Set       map[string]string `json:"set,omitempty"`        // a header's value; a header that is not there is added
	SetBytes  map[string][]byte `json:"set_base64,omitempty"` // the same, where it is not UTF-8
	Remove    []string          `json:"remove,omitempty"`
	Add       [][2]string       `json:"add,omitempty"` // appended, also where the header is there
	Key       *string           `json:"key,omitempty"`
	Value     *string           `json:"value,omitempty"`
	ValueByte []byte            `json:"value_base64,omitempty"`
	Problems  []wire.Problem    `json:"problems"` // none: it is read
}

func (c *change) apply(r wire.Record) wire.Record {
	for _, key := range c.Remove {
		r = without(r, key)
	}
	for key, value := range c.Set {
		r = with(r, key, value)
	}
	for key, value := range c.SetBytes {
		r = with(r, key, string(value))
	}
	for _, h := range c.Add {
		r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], wire.Header{Key: h[0], Value: []byte(h[1])})
	}
	if c.Key != nil {
		r.Key = []byte(*c.Key)
	}
	if c.Value != nil {
		r.Value = []byte(*c.Value)
	}
	if c.ValueByte != nil {
		r.Value = c.ValueByte
	}
	return r
}

// TestVectors_Records: which changes to a good record make it unreadable, and what is said then.
func TestVectors_Records(t *testing.T) {
	t.Parallel()
	cases := records(t)
	bases := map[string]wire.Record{}
	for i := range cases {
		c := &cases[i]
		if _, ok := bases[c.Base]; !ok {
			bases[c.Base] = load(t, c.Base)
		}
		record := c.apply(bases[c.Base])
		var err error
		if strings.HasPrefix(c.Base, "command-") {
			_, err = wire.DecodeCommand(record)
		} else {
			_, err = wire.DecodeReply(record)
		}
		found := []wire.Problem{}
		if err != nil {
			found = problems(t, err)
		}
		if *update {
			c.Problems = found
		}
		require.Equal(t, c.Problems, found, c.Name)
	}
	vectors(t, "records", cases)
}

type idCase struct {
	SagaID  string    `json:"saga_id"`
	Step    string    `json:"step"`
	Verb    wire.Verb `json:"verb"`
	Edition int       `json:"edition"`
	ID      string    `json:"id"`
}

// TestVectors_CommandIDs: other implementations of UUIDv5 have to come to these; TestCommandID_IsUUIDv5 has one as its oracle.
func TestVectors_CommandIDs(t *testing.T) {
	t.Parallel()
	var cases []idCase
	for _, text := range []string{"019a0b0c-0d0e-7f10-9112-131415161718", "ffffffff-ffff-ffff-ffff-ffffffffffff"} {
		saga, err := wire.ParseID(text)
		require.NoError(t, err)
		for _, step := range []string{"a", "reserve-items", strings.Repeat("s", wire.MaxName)} {
			for _, verb := range []wire.Verb{wire.Execute, wire.Compensate, wire.Probe} {
				for _, edition := range []int{0, 1, 10, 2147483647} {
					cases = append(cases, idCase{text, step, verb, edition, wire.CommandID(saga, step, verb, edition).String()})
				}
			}
		}
	}
	vectors(t, "command-ids", cases)
}

type partitionCase struct {
	Key        string `json:"key"`
	Murmur2    int32  `json:"murmur2"` // signed, as Java has it
	Partitions int32  `json:"partitions"`
	Partition  int32  `json:"partition"`
}

func TestVectors_Partitions(t *testing.T) {
	t.Parallel()
	var cases []partitionCase
	for _, key := range []string{"", "21", "abc", "foobar", "019a0b0c-0d0e-7f10-9112-131415161718", "0d0c0b0a-1111-4222-8333-444455556666"} {
		for _, n := range []int32{1, 6, 12} {
			cases = append(cases, partitionCase{key, int32(wire.Murmur2([]byte(key))), n, wire.Partition([]byte(key), n)})
		}
	}
	vectors(t, "partitions", cases)
}

type nameCases struct {
	Names    map[string]bool `json:"names"`
	Commands map[string]bool `json:"commands"`
	Topics   map[string]bool `json:"topics"`
}

func TestVectors_Names(t *testing.T) {
	t.Parallel()
	cases := nameCases{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, s := range []string{"", "a", "-a", "A", "a_b", "orders", strings.Repeat("a", 63), strings.Repeat("a", 64), "a\n", "a-", "ä", "1a"} {
		cases.Names[s] = wire.ValidName(s)
	}
	for _, s := range []string{"A.v1", "A.v0", "A.v01", "A.v", "A.v10x", "1A.v1", "A1.v1", ".v1", "A.V1", "a.b.v1", "A.v1 ", "É.v1", "A.v1\n", "A.v٣"} {
		cases.Commands[s] = wire.ValidCommandName(s)
	}
	for _, s := range []string{"", ".", "..", "a b", "ä", strings.Repeat("x", 249), strings.Repeat("x", 250), "Skald_replies-1.x", "x\n"} {
		cases.Topics[s] = wire.ValidTopic(s)
	}
	vectors(t, "names", cases)
}

// vectors compares cases with testdata/<name>.json.
func vectors(t *testing.T, name string, cases any) {
	t.Helper()
	got, err := json.MarshalIndent(cases, "", " ")
	require.NoError(t, err)
	path := filepath.Join("testdata", name+".json")
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), string(got), "other SDKs read this file: run the test with -update and read the difference")
}

// load reads a golden file back into the record that it shows.
func load(t *testing.T, name string) wire.Record {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".golden"))
	require.NoError(t, err)
	head, value, ok := strings.Cut(string(b), "\n\n")
	require.True(t, ok, name)
	r := wire.Record{Value: []byte(strings.TrimSuffix(value, "\n"))}
	for _, line := range strings.Split(head, "\n") {
		name, text, ok := strings.Cut(line, ": ")
		require.True(t, ok, line)
		switch name {
		case "topic":
			r.Topic = text
		case "key":
			r.Key = []byte(text)
		default:
			r.Headers = append(r.Headers, wire.Header{Key: name, Value: []byte(text)})
		}
	}
	return r
}
