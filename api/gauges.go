package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	gaugesFor    = 5 * time.Second // counts are believed this long, so that scrapes cannot load the database
	gaugesLimit  = 3 * time.Second
	outboxAtMost = 100_000
)

// gauges are counts that are read from the store when they are scraped.
type gauges struct {
	reader  orchestrator.Reader
	tenants []string
	log     *slog.Logger

	live, attention, limited, quarantined, causes, definitions, outbox, outboxAge, overdue *prometheus.Desc

	mu    sync.Mutex // guards what follows
	at    time.Time
	known []prometheus.Metric
}

// WatchStore adds counts of live sagas, of the given tenants, and of the outbox. They are at most 5 s old; what cannot be
// read is left out.
func (m *Metrics) WatchStore(reader orchestrator.Reader, tenants []string, log *slog.Logger) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m.registry.MustRegister(&gauges{
		reader: reader, tenants: tenants, log: log,
		live:        desc("skald_sagas", "Live sagas by status.", "tenant", "status"),
		attention:   desc("skald_sagas_with_attention", "Live sagas that a person should look at.", "tenant"),
		limited:     desc("skald_sagas_limited", "Live sagas with a step that waits for a limit.", "tenant"),
		quarantined: desc("skald_quarantined_records", "Records in quarantine that wait for a person.", "tenant"),
		causes:      desc("skald_sagas_blocked", "Live sagas by why they wait.", "tenant", "cause"),
		definitions: desc("skald_sagas_by_definition", "Live sagas by definition.", "tenant", "saga"),
		outbox:      desc("skald_outbox_rows", "Batches that wait to be published; counting stops at 100,000."),
		outboxAge:   desc("skald_outbox_age_seconds", "Age of the oldest batch that waits to be published; 0: none waits."),
		overdue:     desc("skald_saga_overdue_seconds", "How long ago the saga should have been looked at that waits the longest, of all tenants; 0: none is overdue."),
	})
}

// Describe lists the gauges.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.live, g.attention, g.limited, g.quarantined, g.causes, g.definitions, g.outbox, g.outboxAge, g.overdue} {
		out <- d
	}
}

// Collect reads the gauges, or sends those of a moment ago.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.at) > gaugesFor {
		ctx, cancel := context.WithTimeout(context.Background(), gaugesLimit)
		defer cancel()
		g.known, g.at = g.read(ctx), time.Now()
	}
	for _, m := range g.known {
		out <- m
	}
}

func (g *gauges) read(ctx context.Context) []prometheus.Metric {
	var out []prometheus.Metric
	add := func(d *prometheus.Desc, n int64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...))
	}
	for _, tenant := range g.tenants {
		s, err := g.reader.Stats(ctx, tenant)
		if err != nil {
			g.log.WarnContext(ctx, "live sagas not counted", "tenant", tenant, "error", err)
			continue
		}
		for _, status := range []saga.Status{saga.Running, saga.Compensating, saga.Suspended} {
			add(g.live, s.ByStatus[status], tenant, string(status))
		}
		for _, cause := range []saga.Cause{saga.CauseAttention, saga.CauseHold, saga.CauseUnpublished, saga.CauseReply, saga.CauseBackoff} {
			add(g.causes, s.ByCause[cause], tenant, string(cause))
		}
		for name, n := range s.ByDefinition {
			add(g.definitions, n, tenant, name)
		}
		add(g.attention, s.WithAttention, tenant)
		add(g.limited, s.Limited, tenant)
		add(g.quarantined, s.Quarantined, tenant)
	}
	if depth, err := g.reader.OutboxDepth(ctx, outboxAtMost); err != nil {
		g.log.WarnContext(ctx, "outbox not counted", "error", err)
	} else {
		add(g.outbox, int64(depth))
	}
	if late, err := g.reader.Lateness(ctx); err != nil {
		g.log.WarnContext(ctx, "lateness not measured", "error", err)
	} else {
		for d, v := range map[*prometheus.Desc]time.Duration{g.outboxAge: late.Outbox, g.overdue: late.Overdue} {
			out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v.Seconds()))
		}
	}
	return out
}
