package sim

import (
	"context"

	auditing "github.com/skaldhq/skald/orchestrator/audit"
)

// inspected has the audit look at what the world leaves: what operators run against a live database finds nothing here either.
func (o *oracle) inspected() {
	report, err := auditing.Run(context.Background(), auditing.Config{Store: o.w.store, Workers: 1, Again: 1, Compile: compile})
	if err != nil {
		o.w.violate("audit", "the audit cannot read the store: %v", err)
	}
	for _, p := range report.Problems {
		if p.Kind == auditing.KeyRegressed && o.w.database.wentBack() {
			continue // by the clock of the time, a later saga may look older
		}
		o.w.violate(p.Guarantee, "audit: %s: saga %s %s: %s", p.Kind, p.Saga, p.Target, p.What)
	}
}
