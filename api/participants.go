package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

// lagPatience bounds all looks at participants' groups of one answer.
const lagPatience = time.Second

func (a *API) registerParticipants() {
	register(a, route{
		id: "list-participants", method: http.MethodGet, path: "/v1/participants", tag: "operate", summary: "List participants and how they do",
		description: "Counts are of live sagas. Lag and consumers are those of the participant's consumer group, absent where they cannot be read at once. " +
			"Answers, failures and the error rate are what the replica that answers has seen in its last 5 minutes.",
		permission: PermitRead, answers: map[int]any{http.StatusOK: client.ParticipantList{}},
	}, a.participants)
}

func (a *API) participants(ctx context.Context, _ *struct{}) (*answer, error) {
	stats, err := a.cfg.Engine.Reader().Stats(ctx, requestOf(ctx).principal.Tenant)
	if err != nil {
		return nil, fmt.Errorf("count sagas: %w", err)
	}
	return a.participantsOf(ctx, stats)
}

func (a *API) participantsOf(ctx context.Context, stats orchestrator.Stats) (*answer, error) {
	tenant := requestOf(ctx).principal.Tenant
	names, err := a.participantNames(ctx, tenant, stats)
	if err != nil {
		return nil, err
	}
	holds, err := a.cfg.Engine.Holds(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	out := client.ParticipantList{Items: make([]client.Participant, len(names))}
	since := time.Now().Add(-orchestrator.AnswersOver).UTC()
	for i, name := range names {
		n, said := stats.ByParticipant[name], a.cfg.Engine.Answers(tenant, name)
		p := &out.Items[i]
		*p = client.Participant{
			Name: name, ParticipantCounts: client.ParticipantCounts{InFlight: n.InFlight, BackingOff: n.BackingOff, Held: n.Held, Stuck: n.Stuck, Limited: n.Limited},
			Answers: said.Good + said.Bad, Failures: said.Bad, Since: since,
		}
		if p.Answers > 0 {
			rate := float64(p.Failures) / float64(p.Answers)
			p.ErrorRate = &rate
		}
		of := func(h orchestrator.HoldRow) bool { return h.Scope == orchestrator.HoldParticipant && h.Name == name }
		if j := slices.IndexFunc(holds, of); j >= 0 {
			hold := renderHold(&holds[j])
			p.Hold = &hold
		}
	}
	a.addLags(ctx, out.Items)
	return &answer{status: http.StatusOK, body: out}, nil
}

// participantNames are those of every registered definition, and those that live sagas wait for.
func (a *API) participantNames(ctx context.Context, tenant string, stats orchestrator.Stats) ([]string, error) {
	rows, err := a.cfg.Engine.Definitions().ListDefinitions(ctx, tenant, "")
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	names := map[string]struct{}{}
	for name := range stats.ByParticipant {
		names[name] = struct{}{}
	}
	for i := range rows {
		var def struct {
			Steps []struct{ Participant string }
		}
		if err := json.Unmarshal(rows[i].Content, &def); err != nil {
			return nil, fmt.Errorf("read definition %s version %d: %w", rows[i].Name, rows[i].Version, err)
		}
		for _, step := range def.Steps {
			names[step.Participant] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// addLags looks at the groups, all within lagPatience.
func (a *API) addLags(ctx context.Context, list []client.Participant) {
	var group errgroup.Group
	group.SetLimit(16)
	for i := range list {
		group.Go(func() error {
			if g, known := a.cfg.Engine.Group(ctx, list[i].Name, lagPatience); known {
				lag := g.Lag()
				list[i].Lag, list[i].Consumers = &lag, &g.Members
			}
			return nil
		})
	}
	_ = group.Wait() // what cannot be read is absent
}
