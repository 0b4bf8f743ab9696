package definition

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// readPayload reads a definition of three steps, whose last has the template as its payload, and the compensation's too.
func readPayload(t testing.TB, forward, undo string) (saga.Step, error) {
	t.Helper()
	src := `{"saga": "t", "version": 1, "steps": [
		{"name": "first-step", "participant": "p", "command": "A.v1", "effect": "none"},
		{"name": "skipped", "participant": "p", "command": "A.v1", "effect": "none", "when": "false"},
		{"name": "last", "participant": "p", "command": "A.v1", "payload": ` + forward + `,
		 "compensation": {"command": "U.v1", "payload": ` + undo + `}}]}`
	d, err := Read("t.json", []byte(src))
	if err != nil {
		return saga.Step{}, err
	}
	return d.Steps[2], nil
}

func quoted(t testing.TB, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

func testScope() saga.Scope {
	return saga.Scope{
		Input: json.RawMessage(` {"int": 1, "whole": 1.0, "price": 1.10, "huge": 1e400, "big": 123456789012345678901234567890, "neg": -0,
			"text": "a \"b\" \u00e4\n", "pair": "\ud83d\ude00", "none": null, "yes": true, "empty": {},
			"map": {"z": 1, "b": 2, "a": 3}, "items": [{"sku": "x", "quantity": 2.50}, {"sku": "y", "quantity": 1}],
			"ünï côdé": {"it's": 7}, "twice": 1, "twice": 2, "esc\u0061pe": "found"} `),
		StepOutput: func(step string) json.RawMessage {
			if step == "first-step" {
				return json.RawMessage(`{"id": "F-1", "n": 5, "list": [1, 2]}`)
			}
			return json.RawMessage(`null`)
		},
		Output: json.RawMessage(`{"payment_id": "P-1"}`),
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, template, want string }{
		{"Constant", `{"b": [1.10, true, null, "x"], "a": {}}`, `{"a":{},"b":[1.10,true,null,"x"]}`},
		{"Null", `null`, `null`},
		{"ConstantNumbersAsWritten", `[1e400, 1.10, 100000000000000000000000000001]`, `[1e400,1.10,100000000000000000000000000001]`},
		{"NumberAsWritten", `"${input.price}"`, `1.10`},
		{"NumberBeyondDoubles", `"${input.huge}"`, `1e400`},
		{"BigInteger", `["${input.big}"]`, `[123456789012345678901234567890]`},
		{"MinusZero", `"${input.neg}"`, `-0`},
		{"ObjectCopiedAsWritten", `"${input.items[0]}"`, `{"sku": "x", "quantity": 2.50}`},
		{"AbsentIsNull", `{"a": "${input.no.such[3]['thing']}"}`, `{"a":null}`},
		{"NameOnList", `"${input.items.sku}"`, `null`},
		{"IndexOnObject", `"${input.map[0]}"`, `null`},
		{"IndexBeyond", `"${input.items[2]}"`, `null`},
		{"QuotedNames", `"${input['ünï côdé'][\"it's\"]}"`, `7`},
		{"LastOfTwo", `"${input.twice}"`, `2`},
		{"EscapedKey", `"${input.escape}"`, `"found"`},
		{"SpacesAround", `"${  input.int  }"`, `1`},
		{"StepOutput", `"${steps['first-step'].output.id}"`, `"F-1"`},
		{"StepOutputByName", `"${steps.skipped.output}"`, `null`},
		{"SkippedStepsFieldIsNull", `"${steps['skipped'].output.id}"`, `null`},
		{"TextInText", `"id: ${steps['first-step'].output.id}!"`, `"id: F-1!"`},
		{"EscapesInText", `"<${input.text}>"`, `"<a \"b\" \u00e4\n>"`},
		{"NumbersInText", `"${input.price}/${input.huge}/${input.yes}"`, `"1.10/1e400/true"`},
		{"ObjectsInText", `"${input.items[1]}"`, `{"sku": "y", "quantity": 1}`},
		{"ObjectsInsideText", `"= ${input.items[1]}"`, `"= {\"sku\":\"y\",\"quantity\":1}"`},
		{"Literal", `"$${input.int} costs $5 and $$"`, `"${input.int} costs $5 and $$"`},
		{"DollarBeforeLiteral", `"$$${x}"`, `"$${x}"`},
		{"TwoExpressionsAreText", `"${input.int}${input.int}"`, `"11"`},
		{"SpaceMakesText", `"${input.int} "`, `"1 "`},

		{"CELArithmetic", `"${input.int + 1}"`, `2`},
		{"CELWholeNumberIsInt", `"${input.whole + 1}"`, `2`},
		{"CELFraction", `"${input.price * 2.0}"`, `2.2`},
		{"CELMixedComparison", `"${input.int < input.price}"`, `true`},
		{"CELBigNumberIsDouble", `"${input.big > 1e29}"`, `true`},
		{"CELHas", `["${has(input.none)}", "${has(input.no)}", "${has(input.map.z)}"]`, `[true,false,true]`},
		{"CELOptional", `["${input.?no.x}", "${input.?no.orValue(5)}", "${input[?'int']}", "${steps['skipped'].output.?id}"]`, `[null,5,1,null]`},
		{"CELNullComparison", `"${steps['skipped'].output == null ? 'skipped' : 'ran'}"`, `"skipped"`},
		{"CELTextInText", `"x ${input.text + 'ä'} ${input.pair + '!'}"`, `"x a \"b\" ä\nä 😀!"`},
		{"CELMapsInOrder", `"${input.map.map(k, k + string(input.map[k]))}"`, `["a3","b2","z1"]`},
		{"CELLiteralMapsInOrder", `"${{'z': 1, 'b': 2, 'a': 3}.map(k, k)}"`, `["a","b","z"]`},
		{"CELObject", `"${{'z': 1, 'a': [1.0, 2u, null], ?'no': input.?no}}"`, `{"a":[1,2,null],"z":1}`},
		{"CELFilter", `"${input.items.filter(i, i.quantity > 2).map(i, i.sku)}"`, `["x"]`},
		{"CELExists", `"${input.items.exists(i, i.sku == 'y') && input.items.all(i, i.quantity > 0)}"`, `true`},
		{"CELBracesInside", `"${ {'a': {'b': '}'}}['a'] }"`, `{"b":"}"}`},
		{"CELTime", `"${timestamp('2026-01-02T03:04:05Z') + duration('90m')}"`, `"2026-01-02T04:34:05Z"`},
		{"CELDuration", `"${duration('90m')}"`, `"5400s"`},
		{"CELMatches", `"${input.text.matches('^a .b')}"`, `true`},
		{"CELRoot", `"${size(input.empty) + size(steps['first-step'].output)}"`, `3`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step, err := readPayload(t, c.template, `{}`)
			require.NoError(t, err)
			got, err := step.Payload.Eval(testScope())
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
			require.True(t, json.Valid(got))
		})
	}
}

func TestTemplate_Fails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, template, want string }{
		{"NullInText", `{"a": "x ${input.none}"}`, `steps[2].payload.a: input.none: null cannot be inserted into a text`},
		{"AbsentInText", `"x ${input.no}"`, `steps[2].payload: input.no: null cannot be inserted into a text`},
		{"CELAbsent", `"${input.no + 1}"`, `no such key: no (use has() or .? where a key may be absent)`},
		{"CELNull", `"${input.none + 1}"`, `the types do not fit`},
		{"CELMixedArithmetic", `"${input.price * 2}"`, `need double() or int()`},
		{"CELNumberBeyondDoubles", `"${input.huge > 1.0}"`, `the number 1e400 is too large to compute with`},
		{"CELNullOutput", `"${steps['skipped'].output.id + 'x'}"`, `no such key: id`},
		{"CELNoneInText", `"x ${input.?no}"`, `null cannot be inserted into a text`},
		{"CELKeysAreText", `"${{input.int: 1}}"`, `an object's keys are text`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step, err := readPayload(t, c.template, `{}`)
			require.NoError(t, err, "found at run time alone")
			_, err = step.Payload.Eval(testScope())
			require.ErrorContains(t, err, c.want)
		})
	}
}

// "Compensation expressions are also checked with `output` null, because unknown steps are undone too."
func TestTemplate_CompensationWithoutOutput(t *testing.T) {
	t.Parallel()
	never := testScope()
	never.Output = json.RawMessage(`null`)
	for template, want := range map[string]string{
		`{"id": "${output.payment_id}", "of": "${steps['first-step'].output.id}"}`: `{"id":null,"of":"F-1"}`,
		`"${output == null ? input.int : output.payment_id}"`:                      `1`,
		`"${output.?payment_id.orValue('none') + '!'}"`:                            `"none!"`,
		`"${has(output.payment_id) ? 'known' : 'unknown'}"`:                        `"unknown"`,
	} {
		step, err := readPayload(t, `{}`, template)
		require.NoError(t, err)
		got, err := step.Compensation.Payload.Eval(never)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	for _, template := range []string{`"${output.payment_id + '!'}"`, `"pay ${output.payment_id}"`, `"${int(output.n)}"`, `"pay ${output.?payment_id}"`} {
		_, err := readPayload(t, `{}`, template)
		require.ErrorContains(t, err, "output is null when the step was never answered", template)
	}
}

// What an expression may cost is limited; whatever a definition asks, an evaluation ends soon and fits into memory.
func TestTemplate_Limits(t *testing.T) {
	t.Parallel()
	scope := saga.Scope{Input: json.RawMessage(`{"list": [` + strings.Repeat("1,", 50_000) + `1], "text": "` + strings.Repeat("x", 50_000) + `"}`)}
	for _, c := range []struct{ name, expression, want string }{
		{"NestedLoops", `input.list.exists(x, input.list.exists(y, x + y == 0))`, "cost limit exceeded"},
		{"NestedLists", `input.list.map(x, input.list.map(y, y))`, "cost limit exceeded"},
		{"Search", `input.list.filter(x, x in input.list)`, "cost limit exceeded"},
		{"Concatenation", `input.list.exists(x, input.text + string(x) == '')`, "cost limit exceeded"},
		{"DoubledText", `[input.text]` + strings.Repeat(`.map(x, x + x)`, 40), "memory limit exceeded"},
		{"DoubledList", `1000 in [input.list]` + strings.Repeat(`.map(x, x + x)`, 40) + `[0]`, "memory limit exceeded"},
		{"RepeatedReference", `input.list.map(x, input)`, "memory limit exceeded"},
		{"LargeResult", `[input.text].map(x, x+x).map(x, x+x).map(x, x+x).map(x, x+x).map(x, x+x)`, "larger than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step, err := readPayload(t, quoted(t, "${"+c.expression+"}"), `{}`)
			require.NoError(t, err)
			_, err = step.Payload.Eval(scope)
			require.ErrorContains(t, err, c.want)
		})
	}
	step, err := readPayload(t, `[`+strings.Repeat(`"${input}",`, 20)+`1]`, `{}`)
	require.NoError(t, err)
	_, err = step.Payload.Eval(scope)
	require.ErrorContains(t, err, "larger than 1048576 bytes", "plain paths are bounded by what they make")
}

// An input nested as deep as JSON's decoder allows costs no stack and no more than its size.
func TestTemplate_DeepInput(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 9_000) + `1` + strings.Repeat(`}`, 9_000)
	step, err := readPayload(t, `["${input.a.a}", "${size(input.a)}"]`, `{}`)
	require.NoError(t, err)
	got, err := step.Payload.Eval(saga.Scope{Input: json.RawMessage(deep)})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(got), ",1]"))
}

func TestBare(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, field, value string) *saga.Definition {
		t.Helper()
		d, err := Read("t.json", []byte(`{"saga": "t", "version": 1, `+field+`: `+value+
			`, "steps": [{"name": "a", "participant": "p", "command": "A.v1", "effect": "none"}]}`))
		require.NoError(t, err)
		return d
	}
	for _, c := range []struct{ name, field, value, want, fails string }{
		{"Key", `"key"`, `"input.pair"`, `"😀"`, ""},
		{"KeyWholeNumber", `"key"`, `"input.big"`, `"123456789012345678901234567890"`, ""},
		{"KeyCEL", `"key"`, `"input.items[0].sku + '/' + string(input.int)"`, `"x/1"`, ""},
		{"KeyAbsent", `"key"`, `"input.no"`, "", "key: input.no: is null"},
		{"KeyEmpty", `"key"`, `"input.items[0].sku.matches('q') ? 'x' : ''"`, "", "is 0 bytes long: want 1 to 512"},
		{"KeyFraction", `"key"`, `"input.price"`, "", "gives 1.10: want text or a whole number"},
		{"KeyObject", `"key"`, `"input.map"`, "", "want text or a whole number"},
		{
			"Labels", `"labels"`, `{"z": "${input.price}", "a": "${input.text}", "c": "is ${input.yes}", "gone": "${input.no}", "cel": "${input.int + 1}"}`,
			`{"a":"a \"b\" \u00e4\n","c":"is true","cel":"2","z":"1.10"}`, "",
		},
		{"LabelsObject", `"labels"`, `{"a": "${input.map}"}`, "", "labels.a: want text"},
		{"LabelsNone", `"labels"`, `{}`, `{}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := read(t, c.field, c.value)
			e := d.Key
			if e == nil {
				e = d.Labels
			}
			got, err := e.Eval(testScope())
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
		})
	}
}

func TestCondition(t *testing.T) {
	t.Parallel()
	when := func(t *testing.T, expression string) (json.RawMessage, error) {
		t.Helper()
		d, err := Read("t.json", []byte(`{"saga": "t", "version": 1, "steps": [{"name": "a", "participant": "p", "command": "A.v1",
			"effect": "none", "when": `+quoted(t, expression)+`}]}`))
		require.NoError(t, err)
		return d.Steps[0].When.Eval(testScope())
	}
	for expression, want := range map[string]string{
		"input.yes": "true", "!input.yes": "false", "input.int > 0": "true", "false": "false",
		"input.?no.orValue(false)": "false", "input.none == null || input.none > 5": "true",
	} {
		got, err := when(t, expression)
		require.NoError(t, err)
		require.Equal(t, want, string(got), expression)
	}
	for expression, want := range map[string]string{
		"input.no": "gives null: want true or false", "input.int": "gives 1: want true or false",
		"input.int / 0 > 1": "division by zero",
	} {
		_, err := when(t, expression)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "steps[0].when: ")
	}
}
