package api

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

// participantGauges say how participants do, read when they are scraped. Their labels are the participants of registered definitions.
type participantGauges struct {
	api     *API
	tenants []string

	lag, consumers, breaker *prometheus.Desc

	mu    sync.Mutex // guards what follows
	at    time.Time
	known []prometheus.Metric
}

// WatchParticipants adds the lag of the participants' groups, how many consumers they have, and which breakers hold, of the given tenants.
// They are at most 5 s old; what cannot be read at once is left out.
func (m *Metrics) WatchParticipants(a *API, tenants []string) {
	m.registry.MustRegister(&participantGauges{
		api: a, tenants: tenants,
		lag:       prometheus.NewDesc("skald_participant_lag", "Commands that a participant's group has not read.", []string{"participant"}, nil),
		consumers: prometheus.NewDesc("skald_participant_consumers", "Members of a participant's group.", []string{"participant"}, nil),
		breaker:   prometheus.NewDesc("skald_breaker_open", "1 while a participant's breaker holds it.", []string{"tenant", "participant"}, nil),
	})
}

// Describe lists the gauges.
func (g *participantGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.lag, g.consumers, g.breaker} {
		out <- d
	}
}

// Collect reads the gauges, or sends those of a moment ago.
func (g *participantGauges) Collect(out chan<- prometheus.Metric) {
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

func (g *participantGauges) read(ctx context.Context) (out []prometheus.Metric) {
	add := func(d *prometheus.Desc, n int64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...))
	}
	seen := map[string]bool{} // tenants share participants
	for _, tenant := range g.tenants {
		names, err := g.api.participantNames(ctx, tenant, orchestrator.Stats{})
		if err != nil {
			g.api.log.WarnContext(ctx, "participants not counted", "tenant", tenant, "error", err)
			continue
		}
		var list []client.Participant
		for _, name := range names {
			if !seen[name] {
				seen[name], list = true, append(list, client.Participant{Name: name})
			}
		}
		g.api.addLags(ctx, list)
		for _, p := range list {
			if p.Lag != nil && p.Consumers != nil {
				add(g.lag, *p.Lag, p.Name)
				add(g.consumers, int64(*p.Consumers), p.Name)
			}
		}
		holds, err := g.api.cfg.Engine.Holds(ctx, tenant)
		if err != nil {
			g.api.log.WarnContext(ctx, "breakers not counted", "tenant", tenant, "error", err)
			continue
		}
		open := map[string]int64{}
		for i := range holds {
			if h := &holds[i]; h.Scope == orchestrator.HoldParticipant && h.Kind == orchestrator.HoldBreaker && h.To.IsZero() {
				open[h.Name] = 1
			}
		}
		for _, name := range names {
			add(g.breaker, open[name], tenant, name)
		}
	}
	return out
}
