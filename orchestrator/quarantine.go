package orchestrator

import (
	"context"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// QuarantineReader looks into the quarantine. Records whose tenant is not known are shown to tenant `default`; those of another
// tenant are ErrNotFound (S23). It is safe for concurrent use.
type QuarantineReader interface {
	// Quarantine lists records without keys, headers and values, newest first, or oldest first.
	Quarantine(ctx context.Context, q QuarantineQuery) ([]QuarantineEntry, error)
	// QuarantineRecord reads one record, with its bytes; ErrNotFound.
	QuarantineRecord(ctx context.Context, tenant string, id int64) (QuarantineEntry, error)
	// QuarantineGroups counts what a query finds by fingerprint; the group with the newest record comes first. Before is ignored.
	QuarantineGroups(ctx context.Context, q QuarantineQuery) ([]QuarantineGroup, error)
}

// QuarantineQuery filters quarantined records; zero fields do not filter.
type QuarantineQuery struct {
	Tenant      string
	Fingerprint string
	Reason      string
	Topic       string
	Saga        saga.ID // that the token proved the record to be about
	State       QuarantineState
	Before      int64 // exclusive; 0: from the newest
	Limit       int
	OldestFirst bool
}

// QuarantineEntry is one quarantined record as stored.
type QuarantineEntry struct {
	ID int64
	At time.Time
	Quarantined
	Fingerprint string
	SHA256      [32]byte // of the value, also where the quota left its bytes out
	Bytes       int      // of the value as it came
	Kept        bool     // false: beyond the quota; key, headers and value are not there
	Handling    QuarantineHandling
}

// QuarantineGroup is what has one fingerprint.
type QuarantineGroup struct {
	Fingerprint string
	Reason      string
	Topic       string
	Message     string // of the example
	Count       int64
	First, Last time.Time
	Example     int64 // the newest record
}

// QuarantineState says what is to be done about a quarantined record.
type QuarantineState string

// The states of a quarantined record. Only a waiting one can be redriven or discarded.
const (
	QuarantineWaiting   QuarantineState = "waiting"   // for a person
	QuarantineRedriven  QuarantineState = "redriven"  // judged again: it was applied, or it changes nothing any more
	QuarantineDiscarded QuarantineState = "discarded" // by a person
)

// QuarantineOutcome is what came of handling a quarantined record.
type QuarantineOutcome string

// The outcomes of handling.
const (
	QuarantineApplied QuarantineOutcome = "applied"
	QuarantineIgnored QuarantineOutcome = "ignored"           // a duplicate, late or stale: it changed nothing
	QuarantineAgain   QuarantineOutcome = "quarantined_again" // it stays, with its cause as it is now
	QuarantineDropped QuarantineOutcome = "discarded"
)

// QuarantineHandling is what was done about a record last.
type QuarantineHandling struct {
	State    QuarantineState
	Outcome  QuarantineOutcome // empty: nothing was done yet
	Why      string            // what the engine made of it, in a sentence
	By       string
	Reason   string // the operator's
	At       time.Time
	Redrives int     // how often it was judged again
	Vouched  bool    // the operator stood in for its token
	Attempt  saga.ID // of the request, to know it again where its commit was in doubt
}

// QuarantineHandled stores what was done about a record. It is expected to be waiting, and to be locked by this transaction.
type QuarantineHandled struct {
	ID       int64
	Topic    string             // as it stands; part of the fingerprint of a new cause
	Handling QuarantineHandling // At is the transaction's time
	Cause    *QuarantineCause   // of a record that stays; nil: as it was
}

// QuarantineCause is why a record is in quarantine.
type QuarantineCause struct{ Reason, Message string }

// QuarantineAction is what an operator can do with a quarantined record.
type QuarantineAction string

// The actions on quarantined records.
const (
	QuarantineRedrive QuarantineAction = "redrive" // judge it again, as if it had been read now
	QuarantineDiscard QuarantineAction = "discard" // settle it without judging it; its bytes stay
)

// Decoder reads a record of the quarantine anew.
type Decoder interface {
	// Again judges the bytes as when they came, but for the token, which is not kept: proven says whether its hash is that of
	// the right one. Saga and Tenant of the delivery are what the record says, proven or not. Poison is set as by Broker.Fetch.
	Again(q Quarantined) (d Delivery, proven bool)
}

// The codes of a QuarantineRefusedError.
const (
	QuarantineNotWaiting   = "not_waiting"    // it was redriven or discarded before
	QuarantineNotKept      = "not_kept"       // the hourly quota left its bytes out, so there is nothing to judge
	QuarantineUnproven     = "token_unproven" // nothing shows that the token was right
	QuarantineOtherTenants = "other_tenant"   // unproven, and it says that it is another tenant's
)

// QuarantineRefusedError says why a record cannot be handled so, and what would be possible instead.
type QuarantineRefusedError struct {
	ID       int64    `json:"id"`
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Possible []string `json:"possible,omitempty"`
}

func (e *QuarantineRefusedError) Error() string {
	return fmt.Sprintf("quarantined record %d: %s: %s", e.ID, e.Code, e.Message)
}
