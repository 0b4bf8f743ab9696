package definition

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(name)
	require.NoError(t, err)
	return src
}

func orderPlacement(t testing.TB) *saga.Definition {
	t.Helper()
	d, err := Read("order-placement.yaml", readFile(t, "testdata/order-placement.yaml"))
	require.NoError(t, err)
	return d
}

func TestRead_OrderPlacement(t *testing.T) {
	t.Parallel()
	d := orderPlacement(t)
	require.Equal(t, "order-placement", d.Name)
	require.Equal(t, 1, d.Version)
	require.Equal(t, "Places an order, or leaves no trace of it.", d.Description)
	require.Equal(t, 10*time.Minute, d.Deadline)
	require.Equal(t, saga.EventsLifecycle, d.Events)
	require.Equal(t, 3, d.PivotIndex())
	require.Len(t, d.Steps, 5)
	charge := d.Steps[1]
	require.Equal(t, []int{0}, charge.After)
	require.Equal(t, 5*time.Second, charge.Timeout)
	require.Equal(t, saga.Retry{MaxAttempts: 5, Initial: 200 * time.Millisecond, Multiplier: 2, Max: 10 * time.Second, Jitter: 0.2}, charge.Retry)
	require.Equal(t, charge.Retry, charge.Compensation.Retry)
	require.Nil(t, charge.Compensation.Payload, "no payload of its own: the engine forms it")
	require.NotNil(t, d.Steps[0].Compensation.Payload)
	require.Equal(t, saga.Retriable, d.Steps[4].Kind)
}

func TestRead_JSONEqualsYAML(t *testing.T) {
	t.Parallel()
	fromYAML, err := ReadSource("a.yaml", readFile(t, "testdata/order-placement.yaml"))
	require.NoError(t, err)
	fromJSON, err := ReadSource("b", readFile(t, "testdata/order-placement.json"))
	require.NoError(t, err)
	require.Equal(t, fromYAML.Definition.Hash, fromJSON.Definition.Hash, "the hash is over the canonical parsed JSON, so YAML equals JSON")
	require.Equal(t, string(fromYAML.JSON), string(fromJSON.JSON))
	canonical, err := Canonical("a.yaml", readFile(t, "testdata/order-placement.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(fromYAML.JSON), string(canonical))
	require.Equal(t, sha256.Sum256(canonical), fromYAML.Definition.Hash)

	again, err := ReadSource("stored", fromYAML.JSON)
	require.NoError(t, err)
	require.Equal(t, fromYAML.Definition.Hash, again.Definition.Hash, "what is stored reads as the same definition")
	require.Equal(t, string(fromYAML.JSON), string(again.JSON))
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, want string }{
		{"KeysSorted", "b: 1\na: {z: 1, y: 2}", `{"a":{"y":2,"z":1},"b":1}`},
		{"NumbersAsWritten", "[1.10, 1e400, -0, 100000000000000000000001]", `[1.10,1e400,-0,100000000000000000000001]`},
		{"YAML12Words", "[yes, on, NULL, True, ~, 2026-01-02, 1_000, 12:30]", `["yes","on",null,true,null,"2026-01-02","1_000","12:30"]`},
		{"Texts", "a: |\n  two\n  lines\nb: 'it''s'\nc: \"\\u00e4\\t\"\nd: !!str 5", `{"a":"two\nlines\n","b":"it's","c":"ä\t","d":"5"}`},
		{"Aliases", "a: &x {k: [1]}\nb: *x\nc: [*x]", `{"a":{"k":[1]},"b":{"k":[1]},"c":[{"k":[1]}]}`},
		{"JSONEscapes", `{"a": "\ud83d\ude00\/\u0001<&>\u2028"}`, `{"a":"😀/\u0001<&>` + "\u2028" + `"}`},
		{"ByteOrderMark", "\uFEFF{\"a\": 1}", `{"a":1}`},
		{"LineEnds", "a: 1\r\nb: 2\r\n", `{"a":1,"b":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Canonical("x", []byte(c.src))
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
		})
	}
}

func TestRead_Defaults(t *testing.T) {
	t.Parallel()
	d, err := Read("x", []byte(`
saga: x
version: 1
defaults: {timeout: 1m, retry: {max_attempts: 7, jitter: 0}}
steps:
  - {name: a, participant: p, command: A.v1, compensation: {command: U.v1, retry: {initial: 1s}}}
  - {name: b, participant: p, command: A.v1, timeout: 1d12h, retry: {max_attempts: 1, max: 1h}, compensation: {command: U.v1, timeout: 2s}}
`))
	require.NoError(t, err)
	base := saga.Retry{MaxAttempts: 7, Initial: InitialDefault, Multiplier: MultiplierDefault, Max: MaxDefault, Jitter: 0}
	slow, once := base, base
	slow.Initial = time.Second
	once.MaxAttempts, once.Max = 1, time.Hour
	require.Equal(t, time.Minute, d.Steps[0].Timeout)
	require.Equal(t, base, d.Steps[0].Retry)
	require.Equal(t, time.Minute, d.Steps[0].Compensation.Timeout)
	require.Equal(t, slow, d.Steps[0].Compensation.Retry)
	require.Equal(t, 36*time.Hour, d.Steps[1].Timeout)
	require.Equal(t, once, d.Steps[1].Retry)
	require.Equal(t, 2*time.Second, d.Steps[1].Compensation.Timeout)
	require.Equal(t, base, d.Steps[1].Compensation.Retry, "a compensation has the defaults, not its step's policy")

	d, err = Read("x", []byte("saga: x\nversion: 1\nsteps: [{name: a, participant: p, command: A.v1, effect: none}]"))
	require.NoError(t, err)
	require.Equal(t, TimeoutDefault, d.Steps[0].Timeout)
	require.Equal(t, saga.Retry{
		MaxAttempts: MaxAttemptsDefault, Initial: InitialDefault, Multiplier: MultiplierDefault, Max: MaxDefault,
		Jitter: JitterDefault,
	}, d.Steps[0].Retry)
	require.Zero(t, d.Deadline)
	require.Nil(t, d.Key)
	require.Nil(t, d.Output)
	require.Nil(t, d.Labels)
	require.Nil(t, d.Input)
	require.Nil(t, d.Steps[0].Payload)
	require.Nil(t, d.Steps[0].Returns)
}

// "As soon as any step has after, the steps form a DAG: after then names all of a step's predecessors, and a step without it
// starts at once."
func TestRead_After(t *testing.T) {
	t.Parallel()
	d, err := Read("x", []byte(`
saga: x
version: 1
events: all
redact: [/card/number, /items/*/price]
steps:
  - {name: a, participant: p, command: A.v1, effect: none}
  - {name: b, participant: p, command: A.v1, effect: none}
  - {name: c, participant: p, command: A.v1, effect: none, probe: IsA.v1, after: [b, a],
     payload: {a: "${steps['a'].output.x}", b: "${steps.b.output.?x.orValue(1)}"}}
  - {name: d, participant: p, command: A.v1, kind: pivot, after: [c], payload: "${steps.a.output}"}
output: {all: ["${steps['a'].output}", "${steps['d'].output}"]}
`))
	require.NoError(t, err)
	require.Nil(t, d.Steps[0].After)
	require.Nil(t, d.Steps[1].After, "a step without it starts at once")
	require.Equal(t, []int{0, 1}, d.Steps[2].After)
	require.Equal(t, []int{2}, d.Steps[3].After)
	require.Equal(t, []int{2, 3}, d.Descendants(0))
	require.Equal(t, saga.EventsAll, d.Events)
	require.Equal(t, []string{"/card/number", "/items/*/price"}, d.Redact)
	require.Equal(t, "IsA.v1", d.Steps[2].Probe)
	require.True(t, d.Steps[2].EffectNone)
}

func TestRead_TooLarge(t *testing.T) {
	t.Parallel()
	_, err := Read("x.yaml", bytes.Repeat([]byte("#"), MaxSourceBytes+1))
	require.EqualError(t, err, "x.yaml:1:1: 262145 bytes: at most 262144 are read")
}

// Many problems are cut off, so that an answer stays readable.
func TestRead_ManyProblems(t *testing.T) {
	t.Parallel()
	src := "saga: x\nversion: 1\nsteps: []\n"
	for i := range 300 {
		src += fmt.Sprintf("bad%d: 1\n", i)
	}
	_, err := Read("x.yaml", []byte(src))
	var problems *Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems.List, maxProblems+1)
	require.Equal(t, "101 more problems are not shown", problems.List[maxProblems].Message)
	require.Equal(t, Problem{"x.yaml", 3, 8, "steps", "a saga has at least one step"}, problems.List[0])
}

// Read gives the same answer each time, whatever Go's order of maps.
func TestRead_Deterministic(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		src := readFile(t, file)
		_, first := Read(file, src)
		for range 2 {
			_, again := Read(file, src)
			require.Equal(t, first, again)
		}
	}
	scope := testScope()
	for range 20 {
		step, err := readPayload(t, `{"b": "${input.map.map(k, k)}", "a": "${{'x': input.map, 'y': input.items}}"}`, `{}`)
		require.NoError(t, err)
		got, err := step.Payload.Eval(scope)
		require.NoError(t, err)
		require.Equal(t, `{"a":{"x":{"a":3,"b":2,"z":1},"y":[{"quantity":2.5,"sku":"x"},{"quantity":1,"sku":"y"}]},"b":["a","b","z"]}`, string(got))
	}
}

// One definition serves all sagas at once.
func TestRead_Concurrent(t *testing.T) {
	t.Parallel()
	d := orderPlacement(t)
	step, err := readPayload(t, `{"sku": "${input.items.map(i, i.sku)}", "m": "x${input.map.map(k, k)}", "p": "${input.price}"}`, `{}`)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 200 {
				scope := testScope()
				scope.Input = fmt.Appendf(nil, `{"order_id": "%d-%d", "amount_cents": %d, "items": [{"sku": "s%d"}], "map": {"b": 1, "a": 2}, "price": 1.0}`, worker, i, i%2, i)
				when, err := d.Steps[1].When.Eval(scope)
				assert.NoError(t, err)
				assert.Equal(t, strconv.FormatBool(i%2 > 0), string(when))
				key, err := d.Key.Eval(scope)
				assert.NoError(t, err)
				assert.Equal(t, fmt.Sprintf(`"%d-%d"`, worker, i), string(key))
				payload, err := step.Payload.Eval(scope)
				assert.NoError(t, err)
				assert.Equal(t, fmt.Sprintf(`{"m":"x[\"a\",\"b\"]","p":1.0,"sku":["s%d"]}`, i), string(payload))
				assert.Error(t, d.Input.Validate(scope.Input))
			}
		})
	}
	wait.Wait()
}

// FuzzRead: whatever the bytes, Read does not panic; its error is a *Problems with positions in order; and what it accepts is
// stored and read again as the same.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/*.json", "testdata/wrong/*.yaml", "testdata/wrong/*.json"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			f.Add(readFile(f, file))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		source, err := ReadSource("f", src)
		if err == nil {
			again, err := ReadSource("f", source.JSON)
			require.NoError(t, err)
			require.Equal(t, source.JSON, again.JSON)
			require.Equal(t, source.Definition.Hash, again.Definition.Hash)
			return
		}
		var problems *Problems
		require.ErrorAs(t, err, &problems)
		require.NotEmpty(t, problems.List)
		last := Problem{Line: 1, Column: 1}
		for _, p := range problems.List {
			require.NotEmpty(t, p.Message)
			require.GreaterOrEqual(t, p.Column, 1)
			require.GreaterOrEqual(t, p.Line, last.Line, "problems stand in the order of the source")
			require.LessOrEqual(t, p.Line, len(sourceLines(src))+1)
			last = p
		}
		require.NotEmpty(t, problems.Snippets())
	})
}
