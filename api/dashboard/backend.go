package dashboard

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/sagapage"
)

// Backend is what the pages ask. It is the REST API's own handlers without HTTP: the same reader and engine, the same permissions,
// the same masking of payloads, for whoever the request's context says is asking. Errors are *client.Error, as the API would answer.
type Backend interface {
	SagaBackend
	sagapage.Source
	DefinitionBackend
	OperateBackend
	OperationBackend
	QuarantineBackend

	// Viewer is who asks.
	Viewer(ctx context.Context) Viewer
	// Follow answers with server-sent events named "changed": one when the saga changes, or with an empty id when any may have.
	Follow(w http.ResponseWriter, r *http.Request, id string)
}

// Viewer is who looks at a page.
type Viewer struct {
	Name   string
	Tenant string
	Roles  []string
	All    bool // may do what touches every tenant
	// Session says that the viewer signed in, and may sign out.
	Session bool
	May     func(permission string) bool // by the names that the API documents, such as operate
}

// SagaBackend reads sagas, starts them and acts on them.
type SagaBackend interface {
	Sagas(ctx context.Context, filter client.SagaFilter) (client.SagaList, error)
	Saga(ctx context.Context, id string) (client.Saga, error)
	// Start starts a saga; the key makes sending the form twice harmless.
	Start(ctx context.Context, req client.StartRequest, idempotencyKey string) (id string, err error)
	Rehearse(ctx context.Context, id string, action client.Action, req client.ActRequest) (client.Preview, error)
	// Act does it if the saga still has the revision; 0: whichever it has.
	Act(ctx context.Context, id string, action client.Action, req client.ActRequest, revision int64, idempotencyKey string) (client.Acted, error)
}

// DefinitionBackend reads definitions.
type DefinitionBackend interface {
	Definitions(ctx context.Context, name string) (client.DefinitionList, error)
	Definition(ctx context.Context, name string, version int) (client.Definition, error)
	DefinitionSource(ctx context.Context, name string, version int) ([]byte, error)
	SetDefinition(ctx context.Context, name string, version int, activate bool, reason string) error
	CheckDefinition(ctx context.Context, canonical json.RawMessage) (client.CheckResult, error)
	// Plan is a definition as the graph of a saga that has not begun.
	Plan(ctx context.Context, name string, version int) (client.Graph, error)
}

// OperateBackend reads counts and the record of actions, and sets holds and limits.
type OperateBackend interface {
	Stats(ctx context.Context) (client.Stats, error)
	Participants(ctx context.Context) (client.ParticipantList, error)
	Holds(ctx context.Context) (client.HoldList, error)
	Hold(ctx context.Context, id int64) (client.HoldStatus, error)
	PutHold(ctx context.Context, req client.HoldRequest) (client.Hold, error)
	EndHold(ctx context.Context, id int64, reason string, rate int) error
	Limits(ctx context.Context) (client.LimitList, error)
	PutLimit(ctx context.Context, scope client.HoldScope, name string, req client.LimitRequest) (client.Limit, error)
	RemoveLimit(ctx context.Context, scope client.HoldScope, name, reason string) error
	Audit(ctx context.Context, filter client.AuditFilter) (client.AuditList, error)
}

// OperationBackend does one action over many sagas.
type OperationBackend interface {
	Operations(ctx context.Context, cursor string, limit int) (client.OperationList, error)
	Operation(ctx context.Context, id int64) (client.Operation, error)
	Outcomes(ctx context.Context, id int64, outcome, cursor string, limit int) (client.OutcomeList, error)
	RehearseOperation(ctx context.Context, req client.OperationRequest) (client.OperationPreview, error)
	StartOperation(ctx context.Context, req client.OperationRequest, idempotencyKey string) (client.Operation, error)
	ChangeOperation(ctx context.Context, id int64, change, reason string) error
}

// QuarantineBackend reads and handles records that could not be applied.
type QuarantineBackend interface {
	Quarantine(ctx context.Context, filter client.QuarantineFilter) (client.QuarantineList, error)
	QuarantineGroups(ctx context.Context, filter client.QuarantineFilter) (client.QuarantineGroupList, error)
	Quarantined(ctx context.Context, id int64) (client.Quarantined, error)
	HandleQuarantined(ctx context.Context, id int64, action client.QuarantineAction, req client.QuarantineRequest, dry bool, idempotencyKey string) (client.QuarantineResult, error)
	HandleManyQuarantined(ctx context.Context, action client.QuarantineAction, req client.QuarantineManyRequest, dry bool, idempotencyKey string) (client.QuarantineMany, error)
}
