package conformance

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

func verdicts(report Report) map[string]Verdict {
	all := map[string]Verdict{}
	for _, f := range report.Findings {
		all[f.Check] = f.Verdict
	}
	return all
}

func (r *Report) find(name string) Finding {
	for _, f := range r.Findings {
		if f.Check == name {
			return f
		}
	}
	return Finding{}
}

func TestRun_RightParticipant(t *testing.T) {
	t.Parallel()
	plan := testPlan()
	plan.Probe = "FindOut.v1"
	report := newWorld(t, wrong{}).play(plan)
	for i, f := range report.Findings {
		require.Equal(t, Pass, f.Verdict, "%s: %s", f.Check, f.Saw)
		require.Equal(t, Checks()[i].Name, f.Check)
	}
	require.Len(t, report.Findings, len(Checks()))
}

// A participant may refuse what comes late, say less than it SHOULD, send heartbeats, and answer twice.
func TestRun_WhatIsAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		world func(*testing.T) *world
	}{
		{"RefusesExpired", func(t *testing.T) *world {
			w := newWorld(t, wrong{})
			w.refusesLate = true
			w.participant = w.serve(w.barrier)
			return w
		}},
		{"SaysNoTimeNorCorrelation", func(t *testing.T) *world {
			return newWorld(t, wrong{reply: func(_ *wire.Command, r *wire.Record) {
				drop(wire.HeaderTime)(r)
				drop(wire.HeaderCorrelationID)(r)
			}})
		}},
		{"Beats", func(t *testing.T) *world {
			return newWorld(t, wrong{duringRun: func(w *world, c *wire.Command) {
				beat := says(c, wire.InProgress, "", "")
				r := beat.Record(c.ReplyTo)
				r.Partition = wire.Partition(r.Key, testPartitions)
				w.replies = append(w.replies, r)
			}})
		}},
		{"HasTraces", func(t *testing.T) *world {
			return newWorld(t, wrong{reply: func(_ *wire.Command, r *wire.Record) {
				r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderTraceParent, Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")})
			}})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report := c.world(t).play(testPlan())
			require.Empty(t, report.Failed())
		})
	}
}

// TestRun_WhatIsNotKnown: what cannot be tried says which flag or key to give, and counts neither as passed nor as failed.
func TestRun_WhatIsNotKnown(t *testing.T) {
	t.Parallel()
	plan := &Plan{Participant: "tester", Command: "Do.v1", Payload: testPlan().Payload}
	w := newWorld(t, wrong{answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
		return says(c, wire.Failed, wire.CodeUnknownCommand, ""), c.Verb == wire.Probe
	}})
	report, err := Run(t.Context(), Config{Plan: plan, Link: w})
	require.NoError(t, err)
	require.Empty(t, report.Failed())
	for check, tells := range map[string]string{
		"refusal": "`refused`", "duplicate-failed": "`flaky`", "compensation": "`compensation`", "crash": "--start", "probe": "`probe`",
	} {
		f := report.find(check)
		require.Equal(t, Untried, f.Verdict, check)
		require.Contains(t, f.Saw, tells)
	}
	require.Equal(t, len(Checks()), report.Count(Pass)+report.Count(Untried))

	plan.Flaky = plan.Payload
	report, err = Run(t.Context(), Config{Plan: plan, Link: newWorld(t, wrong{})})
	require.NoError(t, err)
	require.Equal(t, Untried, report.find("duplicate-failed").Verdict, "a plan's promise that is not kept is not the participant's fault")
}

// TestRun_Silence: who answers nothing any more is not waited for again and again.
func TestRun_Silence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wrong{silent: func(w *world, _ *wire.Command) bool { return len(w.log) > 4 }})
	report := w.play(testPlan())
	require.Equal(t, []string{"duplicate-attempt"}, report.Failed())
	require.Equal(t, Untried, verdicts(report)["duplicates-at-once"])
	require.Contains(t, report.find("crash").Saw, "since duplicate-attempt")
	require.Equal(t, Pass, verdicts(report)["reply-key"], "what has come is judged")
	require.Len(t, w.log, 6, "one more, to see if it is alive")
}

// holdNothing is a broker that makes topics that are mentioned.
type holdNothing struct{ *world }

func (h holdNothing) Release(context.Context, string) error { return ErrCannotHold }

func TestRun_CannotHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wrong{})
	report, err := Run(t.Context(), Config{Plan: testPlan(), Link: w, Crasher: holdNothing{w}})
	require.NoError(t, err)
	require.Equal(t, Untried, report.find("crash").Verdict)
	require.False(t, w.dead, "it is started again all the same")
}

// brokenLink takes so many records.
type brokenLink struct {
	*world
	left int
}

var errBroken = errors.New("no broker")

func (b *brokenLink) Send(ctx context.Context, records ...wire.Record) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.world.Send(ctx, records...)
}

func TestRun_Errors(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Config{})
	require.Error(t, err)
	report, err := Run(t.Context(), Config{Plan: testPlan(), Link: &brokenLink{newWorld(t, wrong{}), 5}})
	require.ErrorIs(t, err, errBroken)
	require.NotEmpty(t, report.Findings)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Run(ctx, Config{Plan: testPlan(), Link: newWorld(t, wrong{}), Patience: time.Second})
	require.ErrorIs(t, err, context.Canceled)
}

// TestSections: each check names a heading of the page that says it.
func TestSections(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllStringSubmatch(string(page), -1) {
		headings = append(headings, m[1])
	}
	seen := map[string]bool{}
	for _, c := range Checks() {
		require.Contains(t, headings, c.Section, c.Name)
		require.False(t, seen[c.Name], "%s is there twice", c.Name)
		seen[c.Name] = true
		require.Equal(t, strings.ToLower(c.Name), c.Name)
		require.NotEmpty(t, c.Says)
	}
}
