package main

import (
	"context"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/postgres"
)

// openStarts has the engine start sagas from records, where topics are mapped, and from what was asked for in SQL.
func (r *replica) openStarts(engine *orchestrator.Config, store *postgres.Store, kcfg kafka.Config) error {
	tenants, err := r.cfg.StartTenants()
	if err != nil {
		return err
	}
	answers, err := r.cfg.StartAnswers()
	if err != nil {
		return err
	}
	r.requests = store.StartRequests()
	engine.StartRequests = r.requests
	engine.StartRules = orchestrator.StartRules{Tenants: tenants, ReplyTo: answers, Source: "/skald/" + r.cfg.Cluster}
	if len(tenants) == 0 {
		return nil
	}
	if r.starts, err = kafka.OpenStarts(kcfg); err != nil {
		return err
	}
	engine.Starts = r.starts
	return nil
}

// closeStarts gives back what openStarts took; the engine has run to its end.
func (r *replica) closeStarts(ctx context.Context) {
	if r.starts != nil {
		if err := r.starts.Close(ctx); err != nil {
			r.log.WarnContext(ctx, "consumer group of starts not left cleanly", "error", err)
		}
	}
	if r.requests != nil {
		if err := r.requests.Close(ctx); err != nil {
			r.log.WarnContext(ctx, "connection for hints of starts not closed cleanly", "error", err)
		}
	}
}
