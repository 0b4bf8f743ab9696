package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Errors of a Store. Any error that is none of these means: nothing was written, and the same call may be tried again.
var (
	// ErrUnknown says that a call may or may not have taken effect: a commit whose answer was lost, for example.
	ErrUnknown = errors.New("outcome unknown")
	// ErrConflict says that a row was not as it was read; nothing was written (S17).
	ErrConflict = errors.New("changed by somebody else")
	// ErrData says that the content itself was refused (SQLSTATE class 22 or 23); nothing was written. The committer bisects.
	ErrData = errors.New("content refused")
	// ErrClaimTimeout says that a key of Need.Claims is held by somebody's open transaction; nothing was written.
	ErrClaimTimeout = errors.New("a key is held by another transaction")
	// ErrNotFound says that there is no such row for this tenant.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable says that the database cannot be reached, or takes no sessions now. It may wrap beside others, such as ErrUnknown.
	ErrUnavailable = errors.New("the database cannot be reached")
)

// Store keeps sagas. It is safe for concurrent use. Contexts bound each call; cancelling one undoes nothing that was
// committed, and a commit is never cancelled.
type Store interface {
	// Begin opens a transaction, inserts the claims, locks and loads the sagas (SKIP LOCKED), and reads the database's clock
	// and the holds, all in one round trip. The Tx is ended by exactly one of Commit and Rollback.
	Begin(ctx context.Context, need Need) (Tx, error)
	// Committed reports whether a batch whose commit was unknown did commit. Its first write with facts is enough to tell;
	// a batch without facts is run again instead of asked for.
	Committed(ctx context.Context, id saga.BatchID, write Write) (bool, error)
	// Due lists sagas whose wake time has passed, oldest first. Those with a row locked are left out.
	Due(ctx context.Context, limit int) ([]saga.ID, error)
	// TakeOverdue moves the retry time of outbox rows that are due on by `again`, and returns them, oldest first.
	TakeOverdue(ctx context.Context, limit int, again time.Duration) ([]OutboxRow, error)
	// Settle stores what became of published rows when no transaction of the committer comes by (see Batch.Settled).
	Settle(ctx context.Context, settled []Settled) error
	// Maintain makes partitions ahead and removes expired keys and receipts, and what was done with long ago, in slices; at most one
	// replica at a time does.
	Maintain(ctx context.Context) (Maintained, error)
}

// Tx is one transaction of a Store, used by one goroutine. What it returns after Commit or Rollback is of no meaning.
type Tx interface {
	// At is the database's clock, read once: every event's time (S21).
	At() time.Time
	// Row is a saga of Need.Sagas, or of a later Load.
	Row(id saga.ID) Row
	// Claimed says what became of Need.Claims[i].
	Claimed(i int) Claimed
	// Holds are all holds in force, and those that ended within 30 days.
	Holds() []Hold
	// Load locks and loads further sagas; ids sorted, without duplicates. An id that is loaded already is not loaded again.
	Load(ctx context.Context, ids []saga.ID) error
	// LockQuarantined locks quarantined records and answers what was done about them so far. Those that somebody else has locked
	// are left out, and so are those that are not there.
	LockQuarantined(ctx context.Context, ids []int64) (map[int64]QuarantineHandling, error)
	// Commit writes the batch and commits, in one round trip. It ignores that ctx is cancelled. nil: committed. An error that
	// is ErrUnknown: perhaps; ask Committed. Any other: nothing was written.
	Commit(ctx context.Context, batch Batch) error
	// Rollback gives everything back; harmless after Commit.
	Rollback(ctx context.Context)
}

// Need is what a batch needs at its begin.
type Need struct {
	Sagas  []saga.ID // sorted, without duplicates
	Claims []Claim   // sorted by kind, tenant, saga and key; inserted first, ON CONFLICT DO NOTHING
}

// RowState says whether a saga's row could be had.
type RowState int

// The states of a row.
const (
	RowMissing RowState = iota // there is none, judged by a plain read
	RowBusy                    // somebody else has it locked; try again
	RowLoaded
)

// Row is a saga as it is stored, locked for this transaction.
type Row struct {
	State    RowState
	Instance saga.Instance
	WakeAt   time.Time   // as stored, on the grid
	Sent     []saga.Sent // what is known of its open commands
}

// ClaimKind says what a claim is about.
type ClaimKind string

// The kinds of claims.
const (
	ClaimBusinessKey    ClaimKind = "business"    // one live saga per tenant, saga and key
	ClaimIdempotencyKey ClaimKind = "idempotency" // one request per tenant and key, kept 7 days
)

// Claim is a key that a request takes.
type Claim struct {
	Kind   ClaimKind
	Tenant string
	Saga   string // of a business key; empty otherwise
	Key    string
	ID     saga.ID  // the saga that is to have it (of a start or an action)
	Hash   [32]byte // of the request, to tell a replay from another request under the same key
}

// Claimed is what became of a claim.
type Claimed struct {
	Won    bool // it was inserted by this transaction; the rest is then empty
	ID     saga.ID
	Hash   [32]byte
	Answer json.RawMessage // of an idempotency key: what was answered; nil: not stored yet
}

// Batch is everything that one transaction writes.
type Batch struct {
	ID         saga.BatchID
	Writes     []Write
	Outbox     []Record // one row; none: no row. Record i has index i
	RetryIn    time.Duration
	Settled    []Settled
	Rekeys     []Rekey
	Answers    []Answer
	Audit      []Audit
	Quarantine []Quarantined
	Handled    []QuarantineHandled // each record at most once
}

// Write stores a saga. A new one (Revision 1) is inserted, else the row is expected to have Next.Revision-1 (S17).
type Write struct {
	Next    saga.Instance
	WakeAt  time.Time // on the grid; zero exactly when terminal (L2)
	Facts   []saga.Fact
	Blocked []saga.BlockedOn // why it waits, for lists
}

// RecordKind tells the records of an outbox row apart.
type RecordKind string

// The kinds of records.
const (
	RecordCommand RecordKind = "command"
	RecordEvent   RecordKind = "event" // on skald.events
)

// Record is one Kafka record of the outbox, ready to send.
type Record struct {
	Kind    RecordKind
	Topic   string
	Key     []byte
	Value   []byte
	Headers []Header
	// Of a command: whom a refusal concerns.
	Saga    saga.ID
	Step    string
	Verb    saga.Verb
	Edition int
	Attempt int
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// OutboxRow is the part of a batch's records that is not acknowledged yet.
type OutboxRow struct {
	Batch       saga.BatchID
	Indexes     []int // of Records within the batch
	Records     []Record
	MaybeSent   bool      // an earlier try to publish it had an unknown outcome
	CommittedAt time.Time // by the database's clock, where this replica committed it; zero: not known
}

// Settled says what became of a batch's records. The row is deleted when nothing is left, else rewritten to what is left.
type Settled struct {
	Batch saga.BatchID
	Acked []Acked
	// Left are the indexes still to be sent; empty: the row is done. Refused records are neither acked nor left.
	Left []int
}

// Acked is where a record of a batch stands in Kafka.
type Acked struct {
	Index     int
	Partition int32
	Offset    int64
	At        time.Time
	// CommittedAt is when its batch was committed, the same for all records of a batch; zero: not known.
	CommittedAt time.Time
}

// Rekey gives a business key to a new saga. It is expected to belong to From.
type Rekey struct {
	Tenant, Saga, Key string
	From, To          saga.ID
	Hash              [32]byte
}

// Answer completes an idempotency key that was won in this transaction.
type Answer struct {
	Tenant, Key string
	Body        json.RawMessage
}

// Audit is one operator action, in the transaction of its effect. The store chains the hashes.
type Audit struct {
	Tenant    string          `json:"tenant"`
	Actor     string          `json:"actor"`
	From      string          `json:"from,omitempty"` // from where: the client's address; empty: from within
	Action    string          `json:"action"`
	Saga      saga.ID         `json:"saga,omitzero"`
	Target    string          `json:"target,omitempty"` // a step, a definition, a quarantined record
	Reason    string          `json:"reason"`
	RequestID string          `json:"request_id,omitempty"`
	Before    int64           `json:"before,omitempty"` // revision
	After     int64           `json:"after,omitempty"`
	Detail    json.RawMessage `json:"detail,omitempty"`
}

// Quarantined is a record that could not be applied, byte for byte; its token is redacted.
type Quarantined struct {
	Reason    string // a stable code: unreadable, no_outcome, bad_token, unknown_saga, not_asked, poison
	Message   string
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time
	Key       []byte
	Value     []byte
	Headers   []Header
	Saga      saga.ID // zero: not known
	Tenant    string  // empty: not known
	// TokenSHA256 is the hash of the token, which is not kept; nil: there was none. Tokens hold 256 bits that cannot be guessed, so
	// it gives nothing away, and shows later whether the token was the right one.
	TokenSHA256 []byte
}

// Hold is a stop set from outside a saga.
type Hold struct {
	Tenant  string
	Scope   HoldScope
	Name    string // of the definition or the participant; empty for tenant and all
	Version int    // of a definition; 0: every version
	From    time.Time
	To      time.Time // when somebody ended it; zero: nobody has
	Reason  string
	Kind    HoldKind // empty: operator
	By      string   // who set it
	EndedBy string   // empty: nobody yet
	// Spread is of a hold that was ended: sagas are let go over this time from To on, in an order of their own; 0: all at To.
	Spread time.Duration
	RestAt time.Time // when those that still waited for the Spread were let go all at once; zero: they were not
	// QuietAt is when it was first seen that no command was in flight under it any more; zero: not yet.
	QuietAt time.Time
	// Of a breaker: from TryFrom on, a growing share of sagas is let through to try the participant, and after TryFor all are.
	TryFrom time.Time // zero: it holds until somebody ends it
	TryFor  time.Duration
	Trips   int // how often it has opened in this outage; the first is 1
}

// HoldKind says who judges how long a hold lasts.
type HoldKind string

// The kinds of holds.
const (
	HoldOperator HoldKind = "operator" // a person, who ends it too
	HoldBreaker  HoldKind = "breaker"  // the engine: a participant answers too little, or fails too often
)

// HoldScope says what a hold stops.
type HoldScope string

// The scopes of holds.
const (
	HoldSagaType    HoldScope = "saga_type"
	HoldParticipant HoldScope = "participant"
	HoldTenant      HoldScope = "tenant"
	HoldAll         HoldScope = "all"
)

// Maintained is what the keeper did, and how far ahead partitions are.
type Maintained struct {
	Ran             bool // false: another replica was at it
	PartitionsMade  int
	PartitionsUntil time.Time
	KeysRemoved     int
	ReceiptsRemoved int
	// Of what was done with long ago: operations that ended, and quarantined records that were redriven or discarded.
	OperationsRemoved    int
	StartRequestsRemoved int // that were answered before the keys expired that their starts won
	QuarantineRemoved    int
}
