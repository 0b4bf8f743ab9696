package api

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Engine is what the API asks of the engine; *orchestrator.Engine is one. Errors are those of package orchestrator.
type Engine interface {
	Start(ctx context.Context, req orchestrator.StartRequest) (orchestrator.Started, error)
	Act(ctx context.Context, req orchestrator.ActRequest) (orchestrator.Acted, error)
	DryRun(ctx context.Context, req orchestrator.ActRequest) (saga.Decision, error)
	Blocked(ctx context.Context, view orchestrator.View) ([]saga.BlockedOn, error)
	Possible(ctx context.Context, view orchestrator.View) ([]saga.Choice, error)
	Definition(ctx context.Context, tenant, name string, version int) (*saga.Definition, error)
	PutDefinition(ctx context.Context, tenant string, src []byte, activate bool, by, requestID string) (orchestrator.DefinitionRow, bool, error)
	CheckDefinition(src []byte) error
	SetDefinitionState(ctx context.Context, tenant, name string, version int, state orchestrator.DefinitionState, by, reason, requestID string) error
	PutHold(ctx context.Context, h orchestrator.Hold, by, requestID string) (orchestrator.HoldRow, bool, error)
	EndHold(ctx context.Context, tenant string, id int64, r orchestrator.Release) error
	HoldStatus(ctx context.Context, tenant string, id int64) (orchestrator.HoldRow, orchestrator.HoldCount, error)
	PutLimit(ctx context.Context, l orchestrator.Limit, requestID string) error
	RemoveLimit(ctx context.Context, l orchestrator.Limit, requestID string) error
	Limits(ctx context.Context, tenant string) ([]orchestrator.LimitUse, error)
	HandleQuarantined(ctx context.Context, req orchestrator.QuarantineRequest) (orchestrator.QuarantineResult, error)
	RehearseQuarantined(ctx context.Context, req orchestrator.QuarantineRequest) (orchestrator.QuarantineResult, *saga.Decision, error)
	HandleManyQuarantined(ctx context.Context, req orchestrator.QuarantineManyRequest) (orchestrator.QuarantineMany, error)
	Holds(ctx context.Context, tenant string) ([]orchestrator.HoldRow, error)
	OperationEngine
	Group(ctx context.Context, participant string, limit time.Duration) (orchestrator.Group, bool)
	Answers(tenant, participant string) orchestrator.Answers
	Reader() orchestrator.Reader
	Definitions() orchestrator.Definitions
	Ready() error
}

var _ Engine = (*orchestrator.Engine)(nil)

// EventTail reads skald.events without a consumer group, so every replica sees every event.
type EventTail interface {
	// Ends answers, per partition, the offset after the newest event.
	Ends(ctx context.Context) (map[int32]int64, error)
	// Tail calls emit for every event from the given offsets on, in order per partition, until ctx ends (it then returns
	// ctx's error), emit fails (its error) or the topic cannot be read. Partitions that from does not name are read from
	// their first event, and so are offsets that retention has removed. emit is never called concurrently.
	Tail(ctx context.Context, from map[int32]int64, emit func(partition int32, offset int64, event orchestrator.Record) error) error
}
