package stack

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/skaldhq/skald/orchestrator/audit"
)

// auditLimit is far above what an audit of a test's sagas takes.
const auditLimit = 2 * time.Minute

// Audit runs `skald audit` on the stack's database, which must find nothing wrong: every history folds to what is stored, nothing
// is silently stuck, certificates say what the facts say, no command is lost. It may run while the replicas do.
func (s *Stack) Audit() audit.Report {
	s.t.Helper()
	report := Audit(s.t, s.env)
	if report.Checked.Sagas == 0 {
		s.t.Errorf("the audit has seen no saga")
	}
	return report
}

// Audit runs `skald audit` with the settings of env, and fails the test with what it finds.
func Audit(t testing.TB, env []string) (report audit.Report) {
	t.Helper()
	p := Start(t, env, "audit", "--output", "json")
	if err := p.Wait(auditLimit); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(p.Out.String()), &report); err != nil {
		t.Fatalf("skald audit: exit code %d: %v\n%s", p.ExitCode(), err, p.Err)
	}
	for _, problem := range report.Problems {
		t.Errorf("audit: %s (%s): saga %s %s: %s", problem.Kind, problem.Guarantee, problem.Saga, problem.Target, problem.What)
	}
	if code := p.ExitCode(); code != 0 && len(report.Problems) == 0 {
		t.Errorf("skald audit: exit code %d: %s", code, p.Err)
	}
	return report
}
