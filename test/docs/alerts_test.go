package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// alerting is what configs/prometheus/alerts.yaml holds, with the names that Prometheus gives its fields.
type alerting struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert       string
			Expr        string
			For         string
			Labels      struct{ Severity string }
			Annotations struct{ Summary, Runbook string }
		}
	}
}

// An alert is about metrics that there are, says how urgent it is, and leads to its entry in the runbook; the runbook has no other
// entries.
func TestAlerts(t *testing.T) {
	t.Parallel()
	var all alerting
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "configs/prometheus/alerts.yaml")))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&all))
	metrics := metricNames(t)
	runbook := read(t, "docs/runbook.md")
	var names, entries []string
	for _, group := range all.Groups {
		for _, rule := range group.Rules {
			names = append(names, rule.Alert)
			require.Contains(t, []string{"page", "ticket"}, rule.Labels.Severity, rule.Alert)
			require.NotEmpty(t, rule.Annotations.Summary, rule.Alert)
			require.Equal(t, "docs/runbook.md#"+strings.ToLower(rule.Alert), rule.Annotations.Runbook)
			if rule.For != "" {
				_, err := time.ParseDuration(rule.For)
				require.NoError(t, err, rule.Alert)
			}
			require.Equal(t, strings.Count(rule.Expr, "("), strings.Count(rule.Expr, ")"), rule.Alert)
			found := regexp.MustCompile(`\b(?:skald_[a-z_]+|up)\b`).FindAllString(rule.Expr, -1)
			require.NotEmpty(t, found, rule.Alert)
			for _, name := range found {
				if name != "up" {
					require.Contains(t, metrics, strings.TrimSuffix(name, "_bucket"), "%s asks for a metric that there is not", rule.Alert)
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(runbook, -1) {
		entries = append(entries, m[1])
	}
	require.Equal(t, names, entries, "the runbook has an entry for each alert, in their order")
	for i, entry := range regexp.MustCompile(`(?m)^### .*$`).Split(runbook, -1)[1:] {
		for _, part := range []string{"**Means**", "**Do**"} {
			require.Contains(t, entry, part, names[i])
		}
	}
	require.True(t, slices.Contains(names, "SkaldSagaSuspended"))
}

// metricNames are those that the source makes.
func metricNames(t *testing.T) (names []string) {
	t.Helper()
	name := regexp.MustCompile(`"(skald_[a-z_]+)"`)
	for _, folder := range []string{"api", "cmd", "orchestrator"} {
		walk(t, folder, ".go", func(path string) {
			if strings.HasSuffix(path, "_test.go") {
				return
			}
			for _, m := range name.FindAllStringSubmatch(read(t, path), -1) {
				names = append(names, m[1])
			}
		})
	}
	require.Greater(t, len(names), 30)
	return names
}
