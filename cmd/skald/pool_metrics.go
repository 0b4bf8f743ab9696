package main

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// poolMetrics say how busy the pools of connections are.
type poolMetrics struct {
	pools map[string]*pgxpool.Pool // by role

	connections, limit, waits, waited *prometheus.Desc
}

// watchPools shows the pools, by role.
func watchPools(registry *prometheus.Registry, pools map[string]*pgxpool.Pool) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"pool"}, labels...), nil)
	}
	registry.MustRegister(&poolMetrics{
		pools:       pools,
		connections: desc("skald_pool_connections", "Connections to the database, by pool and whether they are used or idle.", "state"),
		limit:       desc("skald_pool_connections_max", "Most connections of a pool."),
		waits:       desc("skald_pool_waits_total", "Times that somebody had to wait for a connection, because none was idle."),
		waited:      desc("skald_pool_wait_seconds_total", "Time that was spent waiting for connections."),
	})
}

// Describe lists the metrics.
func (p *poolMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connections, p.limit, p.waits, p.waited} {
		out <- d
	}
}

// Collect reads the pools.
func (p *poolMetrics) Collect(out chan<- prometheus.Metric) {
	for role, pool := range p.pools {
		s := pool.Stat()
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{role}, labels...)...)
		}
		counter := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, role)
		}
		gauge(p.connections, float64(s.AcquiredConns()), "used")
		gauge(p.connections, float64(s.IdleConns()), "idle")
		gauge(p.limit, float64(s.MaxConns()))
		counter(p.waits, float64(s.EmptyAcquireCount()))
		counter(p.waited, s.EmptyAcquireWaitTime().Seconds())
	}
}
