package wire_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// records are the cases of testdata/records.json; their verdicts are what the file says.
func records(t *testing.T) []change {
	t.Helper()
	const command, reply = "command-execute", "reply-failed"
	var cases []change
	add := func(c change) {
		c.Problems = nil
		cases = append(cases, c)
	}
	set := func(base, header, value, name string) {
		add(change{Name: base + ": " + header + " " + name, Base: base, Set: map[string]string{header: value}})
	}
	value := func(text, name string) {
		add(change{Name: command + ": value " + name, Base: command, Value: &text})
	}
	for _, base := range []string{command, reply} {
		for _, h := range load(t, base).Headers {
			add(change{Name: base + ": " + h.Key + " is missing", Base: base, Remove: []string{h.Key}})
		}
	}
	for _, base := range []string{command, reply} {
		set(base, "ce_specversion", "0.3", "of another version")
		set(base, "ce_id", "nope", "is no UUID")
		set(base, "ce_id", "00000000-0000-0000-0000-000000000000", "is the nil UUID")
		set(base, "ce_id", "83620E1D-298B-5E59-8524-7F88A15A3732", "in upper case")
		set(base, "ce_id", "83620e1d298b5e5985247f88a15a3732", "without hyphens")
		set(base, "ce_source", "", "is empty")
		set(base, "ce_subject", "019a0b0c-0d0e-7f10-9112-1314151617", "is too short")
		set(base, "ce_subject", "0d0c0b0a-1111-4222-8333-444455556666", "is not the key")
		set(base, "ce_type", "inventory", "without a command")
		set(base, "ce_type", "inventory.ReserveItems", "without a version")
		set(base, "ce_sagastep", "Reserve", "is no name")
		set(base, "ce_sagastep", strings.Repeat("x", 64), "is too long")
		set(base, "ce_sagaverb", "undo", "is none")
		set(base, "ce_sagaattempt", "0", "is below 1")
		set(base, "ce_sagaattempt", "01", "with a leading zero")
		set(base, "ce_sagaattempt", "2147483648", "is too large")
		set(base, "ce_sagaattempt", "2147483647", "is the largest")
		set(base, "ce_sagaattempt", "٣", "in other digits")
		set(base, "ce_sagaattempt", "1_0", "with an underscore")
		set(base, "ce_sagaedition", "-1", "is negative")
		set(base, "ce_sagaedition", "+1", "with a sign")
		set(base, "ce_sagaedition", " 1", "with a space")
		set(base, "ce_sagatoken", "any text at all: ✓ "+strings.Repeat("x", 500), "is opaque")
		set(base, "ce_sagatoken", "", "is empty")
		set(base, "ce_sagatenant", "Any Tenant", "is text")
		set(base, "ce_time", "yesterday", "is none")
		set(base, "ce_time", "2026-10-01 12:00:00Z", "without a T")
		set(base, "ce_time", "2026-10-01T12:00:00", "without an offset")
		set(base, "ce_time", "2026-13-01T12:00:00Z", "of a month 13")
		set(base, "ce_time", "2026-10-01T14:00:00.123456789+02:00", "with an offset and nanoseconds")
		set(base, "ce_fromthefuture", "1", "is not known")
		set(base, "content-type", "text/plain", "is not JSON's")
		set(base, "content-type", "application/json; charset=utf-8", "with a parameter")
		add(change{Name: base + ": ce_sagaverb twice", Base: base, Add: [][2]string{{"ce_sagaverb", "execute"}}})
		add(change{Name: base + ": CE_ID is another header", Base: base, Add: [][2]string{{"CE_ID", "x"}}})
		add(change{Name: base + ": ce_correlationid is not UTF-8", Base: base, SetBytes: map[string][]byte{"ce_correlationid": {0xff}}})
		empty, other := "", "0d0c0b0a-1111-4222-8333-444455556666"
		add(change{Name: base + ": no key", Base: base, Key: &empty})
		add(change{Name: base + ": key of another saga", Base: base, Key: &other})
		add(change{Name: base + ": several at once", Base: base, Remove: []string{"ce_id"}, Set: map[string]string{"ce_sagaverb": "undo"}, Key: &empty})
	}
	set(command, "ce_type", "inventory.ReserveItems.v1.reply", "is a reply's")
	set(command, "ce_sagatype", "Order", "is no name")
	set(command, "ce_sagaversion", "0", "is below 1")
	set(command, "ce_replyto", "a b", "is no topic")
	set(command, "ce_replyto", "..", "is a folder")
	set(command, "ce_expirytime", "5s", "is a duration")
	set(reply, "ce_type", "inventory.ReserveItems.v1", "is a command's")
	set(reply, "ce_sagaoutcome", "ok", "is none")
	set(reply, "ce_causationid", "x", "is no UUID")
	set(reply, "ce_retryafter", "-5", "is negative")
	set(reply, "ce_retryafter", "9223372036854775807", "is too large")
	value("", "is empty")
	value(`{"a":`, "is cut")
	value(`{}{}`, "is two")
	value(`{"a":NaN}`, "with NaN")
	value(`{"a":1,}`, "with a comma too many")
	value(`{'a':1}`, "with apostrophes")
	value(`{"a":1,"a":2}`, "with a name twice")
	value(`1e400`, "is a large number")
	value(strings.Repeat("9", 5000), "is a number of 5,000 digits")
	value(`"\ud800"`, "with half a surrogate")
	value(" {\n} ", "with spaces")
	value(`null`, "is null")
	add(change{Name: command + ": value is not UTF-8", Base: command, ValueByte: []byte("\"\xff\"")})

	if *update {
		return cases
	}
	b, err := os.ReadFile("testdata/records.json")
	require.NoError(t, err, "run the test with -update to write it")
	var stored []change
	require.NoError(t, json.Unmarshal(b, &stored))
	require.Len(t, stored, len(cases), "run the test with -update and read the difference")
	for i := range cases {
		cases[i].Problems = stored[i].Problems
	}
	return cases
}
