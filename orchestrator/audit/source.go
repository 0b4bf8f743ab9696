package audit

import (
	"context"
	"encoding/json"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Source is a store, as the audit reads it: rows as they are stored, nothing decoded. Each call reads one snapshot, takes no lock
// that anybody waits for, and is safe for concurrent use.
type Source interface {
	// AuditScope says what there is to audit.
	AuditScope(ctx context.Context) (Scope, error)
	// AuditSagas reads a page of a tenant's sagas in the order of their ids, with all that belongs to them.
	AuditSagas(ctx context.Context, q SagaQuery) (Slice, error)
	// AuditOutbox reads a page of the outbox in the order of batches, with the sagas that its records name.
	AuditOutbox(ctx context.Context, after saga.BatchID, limit int) (Outbox, error)
	// AuditKeys reads a page of a tenant's keys in their order, each with the saga that it names. after is exclusive.
	AuditKeys(ctx context.Context, kind orchestrator.ClaimKind, tenant string, after Key, limit int) (Keys, error)
	// AuditHistory lists sagas of the given shards (inclusive) that have a history and no row, at most limit, sorted.
	AuditHistory(ctx context.Context, from, to uint16, limit int) ([]saga.ID, error)
}

// Actions is a store's record of operator actions.
type Actions interface {
	// Audit lists a tenant's operator actions, newest first, below the sequence number before; 0 starts at the newest.
	Audit(ctx context.Context, tenant string, before int64, limit int) ([]stored.AuditEntry, error)
	// VerifyAudit recomputes the hash chain of a tenant's operator actions; the error is a *ChainError where it does not fit.
	VerifyAudit(ctx context.Context, tenant string) error
	// Revisions answers the revisions of the given sagas; those that do not exist are left out.
	Revisions(ctx context.Context, ids []saga.ID) (map[saga.ID]int64, error)
}

// Definitions is where definitions are kept; ErrNotFound where there is none.
type Definitions interface {
	Definition(ctx context.Context, tenant, name string, version int) (orchestrator.DefinitionRow, error)
}

// Store is all that an audit reads.
type Store interface {
	Source
	Actions
	Definitions
}

// Scope is what there is to audit.
type Scope struct {
	Tenants []string // that sagas, keys or operator actions name, sorted
	// SagasSince is from when on sagas must be there: older weeks were detached.
	SagasSince time.Time
}

// ChainError says where the hash chain of a tenant's operator actions does not fit.
type ChainError = stored.ChainError

// SagaQuery asks for a page of sagas; zero fields do not filter.
type SagaQuery struct {
	Tenant       string
	After        saga.ID // exclusive
	Limit        int
	ID           saga.ID // that one alone
	Saga         string  // the definition's name
	Version      int
	CreatedSince time.Time
}

// Slice is a page of sagas as one moment saw it.
type Slice struct {
	At time.Time // the database's clock
	// ReceiptsSince is from when on receipts must be there: older ones are removed.
	ReceiptsSince time.Time
	Sagas         []Saga
	Batches       map[saga.BatchID]Batch // all that the sagas' facts and open commands name, if anything is known of them

	receipts map[saga.BatchID]receipt // decoded so far; a slice is checked by one goroutine
}

// Saga is a row of table sagas, and what belongs to it.
type Saga struct {
	ID        saga.ID
	Shard     uint16
	Tenant    string
	Saga      string
	Version   int
	Key       string
	Status    saga.Status
	Revision  int64
	CreatedAt time.Time
	WakeAt    time.Time // zero: NULL
	Labels    map[string]string
	Attention []string
	Causes    []string
	Waits     []string
	Verdict   string // empty: none
	Batches   []saga.BatchID
	Instance  []byte
	Facts     []Fact // in the order of Seq
	Owner     *Owner // who has its business key; nil: nobody, or it has no key
}

// Fact is a row of table history.
type Fact struct {
	Seq   int64
	Batch saga.BatchID
	Bytes []byte
}

// Owner is the saga that has a business key.
type Owner struct {
	ID        saga.ID
	Hash      []byte
	CreatedAt time.Time // zero: there is no such saga
}

// Batch is what is known of a batch's records.
type Batch struct {
	InOutbox bool
	Waiting  []int32 // indexes that are not settled
	Acks     []byte  // of the receipt; nil: none
}

// Outbox is a page of the outbox.
type Outbox struct {
	At    time.Time
	Rows  []OutboxRow
	Sagas map[saga.ID][]byte // the instances of the sagas that its records name; those that do not exist are left out
}

// OutboxRow is a row of the outbox.
type OutboxRow struct {
	Batch   saga.BatchID
	RetryAt time.Time // zero: never; the batch was given up as lost
	Waiting []int32
	Records []byte
}

// Key names a key within its tenant; Saga is empty for idempotency keys.
type Key struct{ Saga, Key string }

// Keys is a page of keys.
type Keys struct {
	Keys  []KeyRow
	Sagas map[saga.ID]KeyOwner // those that the keys and their answers name; those that do not exist are left out
}

// KeyRow is a row of the keys.
type KeyRow struct {
	Key
	ID     saga.ID
	Hash   []byte
	Answer []byte // of an idempotency key; nil: none
}

// KeyOwner is what a key must agree with.
type KeyOwner struct {
	Tenant, Saga, Key string
	Revision          int64
}

// Named are the sagas that a row names: its own, and those of the answer that is kept. For the sources, who read these along.
func (k *KeyRow) Named() []saga.ID {
	if k.Answer == nil {
		return []saga.ID{k.ID}
	}
	a, err := readAnswer(k.Answer)
	if err != nil {
		return nil
	}
	return a.sagas()
}

// answer is what orchestrator keeps under an Idempotency-Key, as far as it names sagas.
type answer struct {
	Started  *orchestrator.Started       `json:"started"`
	Acted    *orchestrator.Acted         `json:"acted"`
	Refused  *json.RawMessage            `json:"refused"`
	KeyInUse *orchestrator.KeyInUseError `json:"key_in_use"`
	NotFound bool                        `json:"not_found"`
	Revision bool                        `json:"revision"`
	// Of quarantined records; they name none, or one that is named for information.
	Handled   *json.RawMessage `json:"handled"`
	Unhandled *json.RawMessage `json:"unhandled"`
	Chosen    *json.RawMessage `json:"chosen"`
}

func readAnswer(b []byte) (a answer, err error) {
	text, err := stored.DecodePlain(b)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

func (a *answer) sagas() []saga.ID {
	switch {
	case a.Started != nil:
		return []saga.ID{a.Started.ID}
	case a.Acted != nil:
		return []saga.ID{a.Acted.ID}
	case a.KeyInUse != nil:
		return []saga.ID{a.KeyInUse.ID}
	}
	return nil
}
