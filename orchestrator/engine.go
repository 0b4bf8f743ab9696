package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Config is what an Engine is made of. Store, Reader, Definitions, Holds, Broker and Encoder are required.
type Config struct {
	Store       Store
	Reader      Reader
	Definitions Definitions
	Holds       Holds
	Limits      Limits     // nil: there are no limits on what goes on at once
	Operations  Operations // nil: there are no operations over many sagas
	// How sagas are started from outside; nil: not by records, and not in SQL.
	Starts        StartSource
	StartRequests StartRequests
	StartRules    StartRules
	Broker        Broker
	Encoder       Encoder
	Decoder       Decoder      // nil: quarantined records cannot be redriven
	Topics        Topics       // nil: topics are not provisioned or checked
	Groups        Groups       // nil: nobody knows how far participants are, and every attempt times out as it is
	Logger        *slog.Logger // nil: slog.Default
	Observer      Observer     // nil: nobody looks
	Tracer        Tracer       // nil: nothing is traced, and nothing is spent on it

	BatchEvents   int           // of one transaction; 0: 512
	BatchBytes    int           // of one transaction's outbox row, about; 0: 4 MiB
	IntakeReplies int           // replies and timers that may wait; 0: 4,096
	IntakeStarts  int           // starts and actions that may wait, beyond them 503; 0: 4,096
	OutboxLimit   int           // rows that may wait to be published before starts are refused; 0: 10,000
	SweepEvery    time.Duration // 0: 2 s
	SweepLimit    int           // sagas of one sweep; 0: 1,000
	KeepEvery     time.Duration // 0: 1 h
	OperateEvery  time.Duration // how often a replica looks for operations while there are none; 0: 1 s
	OperateLease  time.Duration // how long a slice of an operation may take before its replica is taken for dead; 0: 15 s (L3)
	WatchEvery    time.Duration // how often holds and breakers are looked after; 0: never
	Breaker       Breaker       // zero: participants are held by operators alone
	WakeGrid      time.Duration // what stored wake times are rounded up to; 0: Grid. Less makes more index entries, for tests
	RetryIn       time.Duration // how long the committing replica alone may publish a batch; 0: 8 s
	TakeAgain     time.Duration // when a row that a sweep has taken may be taken again; 0: 10 s
	DrainLimit    time.Duration // from the end of Run's context to its return; 0: 30 s (L8)
}

// Topics makes and checks the topics that definitions need.
type Topics interface {
	// EnsureParticipants makes the command topics of participants where they are missing. When the configuration forbids that,
	// it answers a *TopicMissingError.
	EnsureParticipants(ctx context.Context, participants []string) error
}

// Observer sees what the engine does, for metrics and for prompt streams. Calls come from the workers and must not block.
type Observer interface {
	// Committed is called after each transaction: the sagas that it changed, by id and new state.
	Committed(batch BatchStats, changed []saga.Instance)
	// Published is called after each publish.
	Published(records, unknown, refused int, took time.Duration)
	// Refused is called when intake turns somebody away (L7).
	Refused(why string)
	// Breaker is called after this replica opened, re-opened or closed a participant's breaker.
	Breaker(participant string, change BreakerChange)
}

// BatchStats says what one transaction did.
type BatchStats struct {
	Events, Sagas, Facts, Records int
	Ignored, Quarantined          int
	Took                          time.Duration
	Raised                        []saga.AttentionReason // attention, once for each time that it was raised
	Measured                      Measured
	Suspended, Residue            int // sagas that became suspended; that ended and left something behind
	Starts                        OutsideStarts
}

// StartRequest asks for a new saga.
type StartRequest struct {
	Tenant         string
	Saga           string
	Version        int             // 0: the highest active one
	Key            string          // only where the definition has none
	Input          json.RawMessage // as it came; stored byte for byte (S22)
	Labels         map[string]string
	Reuse          Reuse
	Link           saga.ID
	By             string // who asks
	RequestID      string
	IdempotencyKey string // empty: none
	// TraceParent is of whoever asks, in the words of W3C: the saga's trace gets a link to it. Empty: none. It is stored nowhere.
	TraceParent string `json:"-"` // so a replay may come from another trace (S2)
}

// Reuse says when a business key of an ended saga may start a new one.
type Reuse string

// The policies of reuse.
const (
	ReuseAfterCompensated Reuse = "after_compensated" // the default: unless it completed
	ReuseAllow            Reuse = "allow"             // once it ended
	ReuseNever            Reuse = "never"
)

// Started is the answer to a start. It is stored under the Idempotency-Key, so a replay answers the same.
type Started struct {
	ID        saga.ID     `json:"id"`
	Saga      string      `json:"saga"`
	Version   int         `json:"version"`
	Key       string      `json:"key,omitempty"`
	Tenant    string      `json:"tenant"`
	Status    saga.Status `json:"status"`
	Revision  int64       `json:"revision"`
	CreatedAt time.Time   `json:"created_at"`
	// Existing: the key had this saga already, with the same input; nothing was started.
	Existing bool `json:"existing,omitempty"`
	// Replayed: the Idempotency-Key had this answer already.
	Replayed bool `json:"-"`
}

// ActRequest is an operator's action on one saga.
type ActRequest struct {
	Tenant         string
	ID             saga.ID
	Act            saga.Acted
	EachStep       bool  // retry, waive: every step that it can be about, and Act names none
	IfRevision     int64 // 0: whatever it is; else ErrRevision where it differs
	RequestID      string
	IdempotencyKey string
}

// Acted is the answer to an action.
type Acted struct {
	ID       saga.ID     `json:"id"`
	Status   saga.Status `json:"status"`
	Revision int64       `json:"revision"`
	// Pending: a cancel that waits for the pivot's answer (design rule 8).
	Pending  bool   `json:"pending,omitempty"`
	Changed  bool   `json:"changed"`
	Why      string `json:"why,omitempty"`
	Replayed bool   `json:"-"`
}

// Errors of requests. *saga.RefusedError and *InputError come beside them.
var (
	ErrRevision        = errors.New("the saga has another revision")
	ErrIdempotency     = errors.New("the Idempotency-Key was used for another request")
	ErrStopping        = errors.New("the engine is stopping")
	ErrUnknownSagaType = errors.New("no such saga, or no active version of it")
	// ErrTopicsUnknown: nobody knows whether a definition's topics are there, as when Kafka is away; nothing was registered.
	ErrTopicsUnknown = errors.New("topics can be neither found nor made")
)

// FieldError is one thing wrong with a request, at a place such as `input/items/0/quantity`.
type FieldError struct {
	Path    string
	Message string
}

// InputError is a request that can be read and is wrong; it lists all that is wrong.
type InputError struct {
	Message string
	Fields  []FieldError
}

func (e *InputError) Error() string { return fmt.Sprintf("%s: %v", e.Message, e.Fields) }

// TooLargeError is an input over its limit in bytes.
type TooLargeError struct{ Limit int }

func (e *TooLargeError) Error() string { return fmt.Sprintf("larger than %d bytes", e.Limit) }

// OverloadedError is a request that was refused before it was accepted; nothing happened (L7).
type OverloadedError struct {
	Why        string
	RetryAfter time.Duration
}

func (e *OverloadedError) Error() string { return "overloaded: " + e.Why }

// KeyInUseError is a start whose business key another saga has.
type KeyInUseError struct {
	Key    string
	ID     saga.ID
	Status saga.Status
	Why    string
}

func (e *KeyInUseError) Error() string {
	return fmt.Sprintf("key %q is in use by %s: %s", e.Key, e.ID, e.Why)
}

// TopicMissingError lists topics that a definition needs and nobody may make.
type TopicMissingError struct{ Topics []string }

func (e *TopicMissingError) Error() string { return fmt.Sprintf("missing topics: %v", e.Topics) }
