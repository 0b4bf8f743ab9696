package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/conformance"
)

// TestConformanceReport: the table, what failed in full, and what was not tried by its reason.
func TestConformanceReport(t *testing.T) {
	t.Parallel()
	report := &conformance.Report{Participant: "shop", Findings: []conformance.Finding{
		{Check: "execute", Section: "Replies", Says: "it is answered", Saw: "execute: succeeded", Verdict: conformance.Pass},
		{Check: "reply-key", Section: "Topics, keys, partitions", Says: "the saga id", Saw: "the key is \"\x1b[2J\"", Verdict: conformance.Fail},
		{Check: "crash", Section: "Checklist", Says: "it comes again", Saw: "give --start", Verdict: conformance.Untried},
		{Check: "crash-twice", Section: "Checklist", Says: "it comes again", Saw: "give --start", Verdict: conformance.Untried},
	}}
	var out bytes.Buffer
	err := printReport(&console{streams: streams{out: &out}}, report)
	require.Equal(t, exitFailed, exitCode(err))
	require.Equal(t, `CHECK        SECTION                   THE PROTOCOL SAYS  SEEN                VERDICT
execute      Replies                   it is answered     execute: succeeded  pass
reply-key    Topics, keys, partitions  the saga id        the key is " [2J"   FAIL
crash        Checklist                 it comes again     give --start        not tried
crash-twice  Checklist                 it comes again     give --start        not tried

FAIL reply-key
  says: the saga id (docs/protocol.md, Topics, keys, partitions)
  saw:  the key is " [2J"

not tried crash, crash-twice
  give --start

shop: 1 passed, 1 failed, 2 not tried
`, out.String())

	report.Findings[1].Verdict = conformance.Pass
	out.Reset()
	require.NoError(t, printReport(&console{streams: streams{out: &out}, json: true}, report), "what was not tried has not failed")
	require.Contains(t, out.String(), `"passed": 2`)
	require.Contains(t, out.String(), `"verdict": "untried"`)
}
