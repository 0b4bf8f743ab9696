package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/conformance"
	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

// kit runs `skald conformance` to its end.
func kit(t *testing.T, s *stack.Stack, args ...string) (code int, out string, report conformance.Report) {
	t.Helper()
	p := s.Start(append([]string{"conformance", "--output=json", "--patience=30s"}, args...)...)
	require.NoError(t, p.Wait(5*time.Minute))
	if p.Out.String() != "" {
		require.NoError(t, json.Unmarshal([]byte(p.Out.String()), &report), "%s", p.Out)
	}
	return p.ExitCode(), p.Out.String() + p.Err.String(), report
}

// untried are the checks that could not be tried.
func untried(report conformance.Report) (names []string) {
	for _, f := range report.Findings {
		if f.Verdict == conformance.Untried {
			names = append(names, f.Check)
		}
	}
	return names
}

// TestGoParticipants: the four that come with skald pass, killed between commit and reply too.
func TestGoParticipants(t *testing.T) {
	t.Parallel()
	s := stack.New(t)
	noRetryAfter := []string{"duplicate-failed", "reply-retryafter"} // but payments, none fails by its payload; and none asks for a rest
	uncompensated := []string{
		"compensation", "compensation-duplicate", "execution-late", "compensation-first", "compensation-first-duplicate",
		"execution-after-compensation", "compensation-of-refused", "commands-at-once", "compensation-edition", "compensation-edition-lower", "probe-compensated",
	}
	for name, cannot := range map[string][]string{
		"payments": {"reply-retryafter"}, "orders": noRetryAfter, "inventory": noRetryAfter, "shipping": slices.Concat(noRetryAfter, uncompensated),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, report := kit(t, s, "--participant", name, "--start", "exec "+stack.Binary(t)+" participant "+name)
			require.Empty(t, report.Failed(), out)
			require.ElementsMatch(t, cannot, untried(report), out)
			require.Zero(t, code, out)
			require.Len(t, report.Findings, len(conformance.Checks()))
		})
	}
}

// TestRunning: a participant that runs already is played against as it is; it cannot be crashed. What fails makes the exit code 1.
func TestRunning(t *testing.T) {
	t.Parallel()
	s := stack.New(t)
	code, out, _ := kit(t, s, "--participant", "payments")
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "--start")
	s.Participant("payments")
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(plan, []byte(`participant: payments
command: ChargePayment.v1
payload: {order_id: "${saga}", token: tok_ok}
refused: {order_id: "${saga}", token: tok_flaky}
compensation: {command: RefundPayment.v1}
`), 0o600))
	var report conformance.Report
	stack.Eventually(t, time.Minute, func(context.Context) error {
		if code, out, report = kit(t, s, "--plan", plan); code == 3 {
			return errors.New(out)
		}
		return nil
	})
	require.Equal(t, 1, code, out)
	require.Equal(t, []string{"refusal", "duplicate-refused", "compensation-of-refused", "edition-over-refusal"}, report.Failed(), "tok_flaky is not refused, but fails")
	require.Contains(t, untried(report), "crash")
	code, out, _ = kit(t, s, "--participant", "payments", "--start", "exec "+stack.Binary(t)+" participant payments")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "running already")
}
