package api

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// mountPages mounts the dashboard. Whoever may not see a page is told so by a page, unless a program asks.
func (a *API) mountPages() error {
	pages, err := dashboard.New(dashboard.Config{
		Backend: pageBackend{a}, Count: a.countFor, Tally: a.cfg.Hub.tallies.of, Version: a.cfg.Version, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.pages = pages
	for _, route := range pages.Routes() {
		permission := Permission(route.Permission)
		if permission == "" {
			permission = Public
		}
		a.mux.Method(route.Method, route.Pattern, withPolicy(policyPages, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Without it a form's Origin would be null, and the guard could not tell it from another site's.
			w.Header().Set("Referrer-Policy", "same-origin")
			p := a.admit(r, permission)
			switch {
			case p == nil:
				route.Handler.ServeHTTP(w, r)
			case p.Status == http.StatusUnauthorized && a.cfg.SignIn != nil && a.sendToSignIn(w, r):
			case strings.Contains(r.Header.Get("Accept"), "text/html"):
				pages.Refuse(w, r, p.Problem)
			default:
				a.writeProblem(w, r, p)
			}
		})))
	}
	a.mountSignIn()
	return nil
}

// countFor counts a tenant's live sagas, for the charts.
func (a *API) countFor(ctx context.Context, tenant string) (client.Stats, error) {
	s, err := a.counts.of(ctx, tenant)
	if err != nil {
		return client.Stats{}, err
	}
	return renderStats(&s), nil
}

// tallies counts per tenant what this replica has committed. The zero value is ready; it is safe for concurrent use.
type tallies struct {
	mu sync.Mutex // guards by
	by map[string]*dashboard.Tally
}

// of is a tenant's tally since this replica started.
func (t *tallies) of(tenant string) dashboard.Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.by[tenant]; n != nil {
		return *n
	}
	return dashboard.Tally{}
}

// count looks for sagas that began or ended in the transaction that wrote them: all that one transaction judges has the same time, and
// an ended saga that is written again (a late answer) has a later one.
func (t *tallies) count(changed []saga.Instance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range changed {
		in := &changed[i]
		began, ended := in.CreatedAt.Equal(in.UpdatedAt), in.Status.Terminal() && in.EndedAt.Equal(in.UpdatedAt)
		if !began && !ended {
			continue
		}
		n := t.by[in.Tenant]
		if n == nil {
			if t.by == nil {
				t.by = map[string]*dashboard.Tally{}
			}
			n = &dashboard.Tally{}
			t.by[in.Tenant] = n
		}
		if began {
			n.Started++
		}
		if ended {
			tallyEnd(n, in)
		}
	}
}

func tallyEnd(n *dashboard.Tally, in *saga.Instance) {
	switch in.Status {
	case saga.Completed:
		n.Completed++
	case saga.Compensated:
		n.Compensated++
	case saga.Abandoned:
		n.Abandoned++
	case saga.Running, saga.Compensating, saga.Suspended:
	}
	if in.Certificate != nil && in.Certificate.Verdict == saga.Residue {
		n.Residue++
	}
}
