package api

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// The docstrings of these methods stand on dashboard.Backend.

// pageCountMost is how far a page counts what a list has: each live saga that is counted costs Postgres some 10 µs where they are many.
const pageCountMost = 1000

func (p pageBackend) Sagas(ctx context.Context, f client.SagaFilter) (client.SagaList, error) {
	in := &listInput{
		Saga: f.Saga, Version: f.Version, Verdict: f.Verdict, Attention: f.Attention, BlockedOn: f.BlockedOn, Participant: f.Participant, Key: f.Key, Order: f.Order,
		CreatedAfter: f.CreatedAfter, CreatedBefore: f.CreatedBefore, Limit: f.Limit, Cursor: f.Cursor, Count: f.Count, countMost: pageCountMost,
	}
	for _, s := range f.Status {
		in.Status = append(in.Status, string(s))
	}
	for name, value := range f.Labels {
		in.Label = append(in.Label, name+":"+value)
	}
	return ask[client.SagaList](ctx, PermitRead, in, p.api.list)
}

func (p pageBackend) Saga(ctx context.Context, id string) (client.Saga, error) {
	path, err := sagaPath(id)
	if err != nil {
		return client.Saga{}, clientError(ctx, err)
	}
	return ask[client.Saga](ctx, PermitRead, &sagaInput{SagaPath: path}, p.api.saga)
}

func (p pageBackend) Plan(ctx context.Context, name string, version int) (client.Graph, error) {
	return ask[client.Graph](ctx, PermitRead, versionPath(name, version), p.api.plan)
}

func (p pageBackend) Definitions(ctx context.Context, name string) (client.DefinitionList, error) {
	return ask[client.DefinitionList](ctx, PermitRead, &NamePath{name}, func(ctx context.Context, in *NamePath) (*answer, error) {
		return p.api.listDefinitions(ctx, in.Name)
	})
}

func (p pageBackend) Definition(ctx context.Context, name string, version int) (client.Definition, error) {
	return ask[client.Definition](ctx, PermitRead, &getDefinitionInput{VersionPath: *versionPath(name, version)}, p.api.getDefinition)
}

func (p pageBackend) DefinitionSource(ctx context.Context, name string, version int) ([]byte, error) {
	in := &getDefinitionInput{VersionPath: *versionPath(name, version), Accept: mediaYAML}
	out, err := call(ctx, PermitRead, in, p.api.getDefinition)
	if err != nil {
		return nil, clientError(ctx, err)
	}
	switch body := out.body.(type) {
	case []byte:
		return body, nil
	case json.RawMessage:
		return body, nil
	}
	return nil, nil
}

func (p pageBackend) CheckDefinition(ctx context.Context, canonical json.RawMessage) (client.CheckResult, error) {
	in := &checkDefinitionInput{rawBody: rawBody{canonical}, ContentType: "application/json"}
	return ask[client.CheckResult](ctx, PermitRead, in, p.api.checkDefinition)
}

func versionPath(name string, version int) *VersionPath {
	return &VersionPath{NamePath: NamePath{name}, Version: version}
}

func (p pageBackend) Stats(ctx context.Context) (client.Stats, error) {
	return ask[client.Stats](ctx, PermitRead, &struct{}{}, func(ctx context.Context, _ *struct{}) (*answer, error) {
		s, err := p.api.counts.of(ctx, requestOf(ctx).principal.Tenant)
		if err != nil {
			return nil, err
		}
		return &answer{body: renderStats(&s)}, nil
	})
}

func (p pageBackend) Participants(ctx context.Context) (client.ParticipantList, error) {
	return ask[client.ParticipantList](ctx, PermitRead, &struct{}{}, func(ctx context.Context, _ *struct{}) (*answer, error) {
		s, err := p.api.counts.of(ctx, requestOf(ctx).principal.Tenant)
		if err != nil {
			return nil, err
		}
		return p.api.participantsOf(ctx, s)
	})
}

func (p pageBackend) Holds(ctx context.Context) (client.HoldList, error) {
	return ask[client.HoldList](ctx, PermitRead, &struct{}{}, p.api.listHolds)
}

func (p pageBackend) Hold(ctx context.Context, id int64) (client.HoldStatus, error) {
	return ask[client.HoldStatus](ctx, PermitRead, &readHoldInput{id}, p.api.getHold)
}

func (p pageBackend) Limits(ctx context.Context) (client.LimitList, error) {
	return ask[client.LimitList](ctx, PermitRead, &struct{}{}, p.api.listLimits)
}

func (p pageBackend) Audit(ctx context.Context, f client.AuditFilter) (client.AuditList, error) {
	in := &auditInput{Actor: f.Actor, Action: f.Action, Saga: f.Saga, Target: f.Target, From: f.From, To: f.To, Limit: f.Limit, Cursor: f.Cursor}
	return ask[client.AuditList](ctx, PermitAudit, in, p.api.audit)
}

func (p pageBackend) Operations(ctx context.Context, cursor string, limit int) (client.OperationList, error) {
	return ask[client.OperationList](ctx, PermitRead, &listOperationsInput{Cursor: cursor, Limit: limit}, p.api.listOperations)
}

func (p pageBackend) Operation(ctx context.Context, id int64) (client.Operation, error) {
	return ask[client.Operation](ctx, PermitRead, &operationInput{OperationPath{id}}, p.api.operation)
}

func (p pageBackend) Outcomes(ctx context.Context, id int64, outcome, cursor string, limit int) (client.OutcomeList, error) {
	in := &outcomesInput{OperationPath: OperationPath{id}, Outcome: outcome, Cursor: cursor, Limit: limit}
	return ask[client.OutcomeList](ctx, PermitRead, in, p.api.outcomes)
}

func quarantineFilter(f client.QuarantineFilter) QuarantineFilter {
	return QuarantineFilter{
		Fingerprint: f.Fingerprint, Reason: f.Reason, Topic: f.Topic, Saga: strings.TrimSpace(f.SagaID), State: string(f.State), Limit: f.Limit,
	}
}

func (p pageBackend) Quarantine(ctx context.Context, f client.QuarantineFilter) (client.QuarantineList, error) {
	return ask[client.QuarantineList](ctx, PermitRead, &quarantineInput{QuarantineFilter: quarantineFilter(f), Cursor: f.Cursor}, p.api.quarantine)
}

func (p pageBackend) QuarantineGroups(ctx context.Context, f client.QuarantineFilter) (client.QuarantineGroupList, error) {
	return ask[client.QuarantineGroupList](ctx, PermitRead, &quarantineGroupsInput{quarantineFilter(f)}, p.api.quarantineGroups)
}

func (p pageBackend) Quarantined(ctx context.Context, id int64) (client.Quarantined, error) {
	return ask[client.Quarantined](ctx, PermitRead, &quarantineRecordInput{id}, p.api.quarantined)
}

// actPermission is the least that an action's route needs; carryOut asks for more where the payload does.
func actPermission(action client.Action) Permission { return permissionFor(saga.Action(action), false) }
