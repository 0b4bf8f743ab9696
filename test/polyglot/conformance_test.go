package polyglot

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/conformance"
	"github.com/skaldhq/skald/test/stack"
)

// TestConformance: the participant that is made with the SDK, and the one that is written from docs/protocol.md alone, stand what the page
// says that they must, and a crash between commit and reply.
func TestConformance(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	for _, c := range []struct {
		name, program string
		untried       []string
	}{
		{"SDK", "examples/payments/payments.py", []string{"reply-retryafter"}},
		{"Plain", "examples/plain/plain.py", []string{
			"duplicate-failed", "reply-retryafter", "reply-message", // it knows no tok_flaky, and sends no messages
			"probe", "probe-not-found", "probe-buries", "probe-then-edition", "probe-edition-lower", "probe-compensated", // it MAY answer none
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src, err := filepath.Abs(filepath.Join(sdk, "src"))
			require.NoError(t, err)
			program, err := filepath.Abs(filepath.Join(sdk, c.program))
			require.NoError(t, err)
			start := fmt.Sprintf("PYTHONPATH='%s' PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 exec '%s' '%s'", src, interpreter, program)
			p := stack.New(t).Start("conformance", "--output=json", "--patience=30s", "--participant=payments", "--start", start)
			require.NoError(t, p.Wait(10*time.Minute))
			var report conformance.Report
			require.NoError(t, json.Unmarshal([]byte(p.Out.String()), &report), "%s", p.Err)
			require.Empty(t, report.Failed(), "%s", p.Out)
			var untried []string
			for _, f := range report.Findings {
				if f.Verdict == conformance.Untried {
					untried = append(untried, f.Check)
				}
			}
			require.ElementsMatch(t, c.untried, untried, "%s", p.Out)
			require.Zero(t, p.ExitCode())
		})
	}
}
