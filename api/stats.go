package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

func (a *API) registerStats() {
	register(a, route{
		id: "get-stats", method: http.MethodGet, path: "/v1/stats", tag: "operate", summary: "Count live sagas by status, by what they wait for, by participant and by definition",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.Stats{}},
	}, a.stats)
}

func (a *API) stats(ctx context.Context, _ *struct{}) (*answer, error) {
	s, err := a.cfg.Engine.Reader().Stats(ctx, requestOf(ctx).principal.Tenant)
	if err != nil {
		return nil, fmt.Errorf("count sagas: %w", err)
	}
	return &answer{status: http.StatusOK, body: renderStats(&s)}, nil
}

func renderStats(s *orchestrator.Stats) client.Stats {
	out := client.Stats{
		Live: s.Live, ByStatus: map[string]int64{}, ByCause: map[string]int64{}, ByDefinition: map[string]int64{},
		ByParticipant: map[string]client.ParticipantCounts{},
		WithAttention: s.WithAttention, Limited: s.Limited, Quarantined: s.Quarantined,
	}
	for status, n := range s.ByStatus {
		out.ByStatus[string(status)] = n
	}
	for cause, n := range s.ByCause {
		out.ByCause[string(cause)] = n
	}
	for name, n := range s.ByDefinition {
		out.ByDefinition[name] = n
	}
	for name, p := range s.ByParticipant {
		out.ByParticipant[name] = client.ParticipantCounts{InFlight: p.InFlight, BackingOff: p.BackingOff, Held: p.Held, Stuck: p.Stuck, Limited: p.Limited}
	}
	return out
}
