package api

import (
	"context"
	"net/http"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// readinessPath is asked again and again by whoever waits for a replica.
const readinessPath = "/readyz"

func (a *API) registerHealth() {
	health := client.Health{Status: "ok", Version: a.cfg.Version}
	register(a, route{
		id: "get-health", method: http.MethodGet, path: "/healthz", tag: "health", summary: "Whether the process answers", permission: Public,
		answers: map[int]any{http.StatusOK: client.Health{}},
	}, func(context.Context, *struct{}) (*answer, error) {
		return &answer{status: http.StatusOK, body: health}, nil
	})
	register(a, route{
		id: "get-readiness", method: http.MethodGet, path: readinessPath, tag: "health", summary: "Whether this replica should get requests", permission: Public,
		answers: map[int]any{http.StatusOK: client.Health{}}, errors: []int{http.StatusServiceUnavailable}, limit: 2 * time.Second,
	}, func(ctx context.Context, _ *struct{}) (*answer, error) {
		if err := a.ready(ctx); err != nil {
			return nil, newProblem(http.StatusServiceUnavailable, codeNotReady, err.Error()).later(time.Second)
		}
		return &answer{status: http.StatusOK, body: health}, nil
	})
}

func (a *API) ready(ctx context.Context) error {
	if err := a.cfg.Engine.Ready(); err != nil {
		return err
	}
	if a.cfg.Ready == nil {
		return nil
	}
	return a.cfg.Ready(ctx)
}
