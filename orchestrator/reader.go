package orchestrator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Reader answers the questions of the API and the dashboard. It takes no locks, never sees another tenant (S23), and is safe
// for concurrent use. A row of another tenant is ErrNotFound.
type Reader interface {
	// Saga reads one saga as it is stored.
	Saga(ctx context.Context, tenant string, id saga.ID) (View, error)
	// Sagas lists sagas, newest first, by keyset.
	Sagas(ctx context.Context, q SagaQuery) (SagaPage, error)
	// History lists a saga's facts from after (exclusive), oldest first, with the receipts of their commands.
	History(ctx context.Context, tenant string, id saga.ID, after int64, limit int) ([]HistoryEntry, error)
	// Revisions answers the revisions of the given sagas; those that do not exist are left out.
	Revisions(ctx context.Context, ids []saga.ID) (map[saga.ID]int64, error)
	QuarantineReader
	// Stats counts live sagas.
	Stats(ctx context.Context, tenant string) (Stats, error)
	// OutboxDepth is how many rows wait to be published; counting stops at atMost.
	OutboxDepth(ctx context.Context, atMost int) (int, error)
	// Lateness is how far behind the whole installation is, of all tenants.
	Lateness(ctx context.Context) (Lateness, error)
}

// Lateness is how far behind an installation is, by the database's clock.
type Lateness struct {
	// Overdue is how long ago the saga should have been looked at that waits the longest; 0: none is overdue. Wake times are on a grid,
	// and a sweep looks every few seconds: more than half a minute means that nobody does.
	Overdue time.Duration
	// Outbox is the age of the oldest batch that is not published yet; 0: there is none.
	Outbox time.Duration
}

// View is a saga with why it waits.
type View struct {
	Instance saga.Instance
	WakeAt   time.Time
	Sent     []saga.Sent
}

// SagaQuery filters a list of sagas; zero fields do not filter.
type SagaQuery struct {
	Tenant        string
	Saga          string
	Version       int // of the definition; 0: any
	Statuses      []saga.Status
	Verdict       saga.Verdict // of those that have ended; empty: any
	Attention     string       // a reason, or "any"
	BlockedOn     saga.Cause
	Participant   string // that it waits for, for whatever cause
	Key           string
	Labels        map[string]string
	CreatedAfter  time.Time
	CreatedBefore time.Time
	IDs           []saga.ID // only these; empty: any
	Limit         int       // 1..500
	OldestFirst   bool      // by the time of creation; else newest first
	Past          saga.ID   // exclusive: the last of the page before; zero: from the beginning
	Count         bool
	CountMost     int64 // counting stops there; 0: never, if it takes no longer than 200 ms
}

// SagaPage is one page of a list.
type SagaPage struct {
	Sagas []View
	Next  saga.ID // Past of the next page; zero: this was the last
	// Count is set when asked for: exact, or, when Exact is false, a lower bound.
	Count int64
	Exact bool
}

// HistoryEntry is a fact and, of a command, where its record stands.
type HistoryEntry struct {
	Fact    saga.Fact
	Batch   saga.BatchID // the transaction that wrote it
	Receipt *Receipt     // nil: no command, or not acknowledged yet
}

// Receipt is where a published record stands.
type Receipt struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	At        time.Time `json:"at"`
	// CommittedAt is when the command was committed, by the database's clock; zero: not known, as where another replica published it.
	CommittedAt time.Time `json:"committed_at,omitzero"`
}

// ParticipantStats counts the live sagas that wait for one participant; one that waits in two ways counts in both.
type ParticipantStats struct {
	InFlight   int64 // for its answer
	BackingOff int64
	Held       int64 // under a hold when they were last written
	Stuck      int64 // for a person, after what it answered
	Limited    int64 // for a limit, those held among them
}

// Stats are counts of live sagas.
type Stats struct {
	Live          int64
	ByStatus      map[saga.Status]int64
	ByCause       map[saga.Cause]int64
	ByDefinition  map[string]int64
	ByParticipant map[string]ParticipantStats
	WithAttention int64
	Limited       int64 // with a step that waits for a limit
	Quarantined   int64 // records that wait for a person
}

// Definitions keeps what sagas are made of. It is safe for concurrent use.
type Definitions interface {
	// PutDefinition stores a new version, in one transaction with its audit row. The same content again is a no-op (false);
	// other content is ErrConflict (design section 4).
	PutDefinition(ctx context.Context, row DefinitionRow, audit Audit) (created bool, err error)
	// Definition reads one version, or with version 0 the highest active one; ErrNotFound.
	Definition(ctx context.Context, tenant, name string, version int) (DefinitionRow, error)
	// ListDefinitions lists all versions, by name and then newest first; an empty name lists all.
	ListDefinitions(ctx context.Context, tenant, name string) ([]DefinitionRow, error)
	// SetDefinitionState activates or retires a version, in one transaction with its audit row; ErrNotFound.
	SetDefinitionState(ctx context.Context, tenant, name string, version int, state DefinitionState, audit Audit) error
}

// DefinitionState says whether a version takes new sagas.
type DefinitionState string

// The states of a definition. A start without a version takes the highest active one.
const (
	DefinitionInactive DefinitionState = "inactive" // registered, never activated
	DefinitionActive   DefinitionState = "active"
	DefinitionRetired  DefinitionState = "retired" // takes no new sagas; live ones go on
)

// DefinitionRow is a stored definition: its canonical JSON and what lists need.
type DefinitionRow struct {
	Tenant    string
	Name      string
	Version   int
	State     DefinitionState
	Hash      [32]byte
	Content   json.RawMessage // canonical JSON
	Source    []byte          // as it was given, for people
	CreatedAt time.Time
}
