package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

type listInput struct {
	Saga          string    `query:"saga" pattern:"^[a-z][a-z0-9-]{0,62}$" doc:"The definition's name"`
	Version       int       `query:"version" minimum:"1" doc:"Of the definition"`
	Status        []string  `query:"status,explode" doc:"One or more, repeated or separated by commas"`
	Verdict       string    `query:"verdict" enum:"committed,cleanly_aborted,residue" doc:"Of those that have ended"`
	Attention     string    `query:"attention" maxLength:"63" doc:"A reason, or any"`
	BlockedOn     string    `query:"blocked_on" enum:"reply,backoff,hold,attention,unpublished"`
	Participant   string    `query:"participant" pattern:"^[a-z][a-z0-9-]{0,62}$" doc:"One that live sagas wait for, for whatever cause"`
	Key           string    `query:"key" maxLength:"512" doc:"The business key"`
	Label         []string  `query:"label,explode" maxItems:"8" doc:"name:value; repeated, all must hold"`
	CreatedAfter  time.Time `query:"created_after" doc:"Exclusive"`
	CreatedBefore time.Time `query:"created_before" doc:"Exclusive"`
	Order         string    `query:"order" enum:"newest,oldest" default:"newest" doc:"Which come first"`
	Limit         int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor        string    `query:"cursor" maxLength:"128" doc:"next_cursor of the page before, under the same filters"`
	Count         bool      `query:"count" doc:"Whether to count; exact where counting takes less than 200 ms"`

	countMost int64 // SagaQuery.CountMost
	query     orchestrator.SagaQuery
	scope     string
}

// Resolve reads what huma cannot, and reports all that is wrong with it.
func (in *listInput) Resolve(huma.Context) []error {
	var errs []error
	wrong := func(name, format string, args ...any) {
		errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: fmt.Sprintf(format, args...)})
	}
	q := orchestrator.SagaQuery{
		Saga: in.Saga, Version: in.Version, Verdict: saga.Verdict(in.Verdict), Attention: in.Attention, BlockedOn: saga.Cause(in.BlockedOn),
		Participant: in.Participant, Key: in.Key, CreatedAfter: in.CreatedAfter, CreatedBefore: in.CreatedBefore,
		OldestFirst: in.Order == "oldest", Limit: in.Limit, Count: in.Count, CountMost: in.countMost,
	}
	for _, each := range in.Status {
		for s := range strings.SplitSeq(each, ",") {
			status := saga.Status(s)
			if !slices.Contains(saga.Statuses(), status) {
				wrong("status", "%q is no status: want one of %v", s, saga.Statuses())
			}
			q.Statuses = append(q.Statuses, status)
		}
	}
	for _, each := range in.Label {
		name, value, ok := strings.Cut(each, ":")
		if !ok || name == "" {
			wrong("label", "%q: want name:value", each)
			continue
		}
		if q.Labels == nil {
			q.Labels = map[string]string{}
		}
		if old, ok := q.Labels[name]; ok && old != value {
			wrong("label", "%q has two values", name)
		}
		q.Labels[name] = value
	}
	slices.Sort(in.Label)
	slices.Sort(q.Statuses)
	in.scope = fmt.Sprintf("%t %q %q %d %q %q %q %q %q %q %d %d", q.OldestFirst, q.Participant, q.Saga, q.Version, q.Verdict, q.Statuses, q.Attention,
		q.BlockedOn, q.Key, in.Label, q.CreatedAfter.UnixNano(), q.CreatedBefore.UnixNano())
	if in.Cursor != "" {
		past, err := readIDCursor(in.scope, in.Cursor)
		if err != nil {
			wrong("cursor", "%v", err)
		}
		q.Past = past
	}
	in.query = q
	return errs
}

func (a *API) registerList() {
	register(a, route{
		id: "list-sagas", method: http.MethodGet, path: "/v1/sagas", tag: "sagas", summary: "List sagas, newest or oldest first",
		description: "Items have no input and no outputs; read one saga for them.",
		permission:  PermitRead, answers: map[int]any{http.StatusOK: client.SagaList{}},
	}, a.list)
}

func (a *API) list(ctx context.Context, in *listInput) (*answer, error) {
	in.query.Tenant = requestOf(ctx).principal.Tenant
	page, err := a.cfg.Engine.Reader().Sagas(ctx, in.query)
	if err != nil {
		return nil, fmt.Errorf("list sagas: %w", err)
	}
	out := client.SagaList{Items: make([]client.Saga, len(page.Sagas))}
	for i := range page.Sagas {
		s, err := a.renderView(ctx, &page.Sagas[i], 0)
		if err != nil {
			return nil, err
		}
		out.Items[i] = summary(s)
	}
	if !page.Next.IsZero() {
		out.NextCursor = idCursor(in.scope, page.Next)
	}
	if in.Count {
		if page.Exact {
			out.Count = &page.Count
		} else {
			out.AtLeast = &page.Count
		}
	}
	return &answer{status: http.StatusOK, body: out}, nil
}
