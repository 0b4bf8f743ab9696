package saga

import (
	"encoding/json"
	"time"
)

// Event is one thing that happened, with what was known when it was judged.
type Event struct {
	Env
	// ID is carried by every fact of the event: a reply's ce_id, a request's id; empty for timers.
	ID   string
	Body Body
}

// Env is what Decide may know of the world besides the saga.
type Env struct {
	At     time.Time // the database's time, to the microsecond (S21)
	Jitter float64   // drawn outside, 0 <= Jitter < 1
	// Holds are the holds on this saga's definition, tenant or participants, in force, or ended
	// since the saga's ClockAt or since its oldest open command was sent.
	Holds []Hold
	// Limits are the bounds on this saga's definition and participants. They stop a step's first command alone (design rule 10).
	Limits []Limit
	// Sent says, for each open command, what is known of its newest attempt.
	Sent []Sent
	// Batch is the transaction being formed, and Index the next free place in its outbox row.
	Batch BatchID
	Index int
}

// Hold stops sagas from outside. It holds the whole saga, or with a Participant only that participant's commands and timers.
type Hold struct {
	Participant string    // empty: the whole saga
	From        time.Time // when it began
	To          time.Time // when it ends, which may be planned, for this saga; zero: nobody knows yet
	Reason      string
	// TriedUntil is of a participant whose breaker lets a share of sagas through to try it: until then an attempt that fails is
	// no saga's last, also of those that it stops no more (design rule 10); zero: nobody tries.
	TriedUntil time.Time
	// What and By are for people: what is held, such as `participant payments`, and by whom; empty: not known.
	What, By string
}

// Limit bounds how many commands of a participant or of a definition are out, or how many of its sagas have begun.
type Limit struct {
	Participant string // empty: the saga's definition
	Begins      bool   // it bounds sagas that have begun; only one that has not begun can wait for it. False: commands that are out
	Room        int    // how many may come now; 0 or less: none
	// What and Figure are for people: what is bounded, such as `commands of participant payments`, and how far it is, `100 of 100`.
	What, Figure string
}

// Sent is what is known of the newest attempt of a leg of an open step.
type Sent struct {
	Step        int
	Verb        Verb      // Execute (probes too) or Compensate
	Unpublished bool      // its batch is still in the outbox
	AckedAt     time.Time // when the broker acknowledged it; zero: not known
	Partition   int32     // where it stands in the participant's command topic, once it is acknowledged
	Offset      int64
	Queued      bool // the participant's group has not reached it yet
}

// Body is what happened: Started, Replied, Woken, Acted or PublishRefused.
type Body interface{ body() }

// Started begins a saga. Its instance is the zero value.
type Started struct {
	ID     ID
	Tenant string
	Key    string
	Input  json.RawMessage
	Labels map[string]string
	Link   ID
	By     string
}

// Replied is a participant's answer to a command of this saga, checked to be one (token, ids).
type Replied struct {
	Step       string
	Verb       Verb
	Edition    int
	Attempt    int
	Outcome    ReplyOutcome
	Code       string
	Message    string
	RetryAfter time.Duration // with failed; 0: none
	Value      json.RawMessage
	Oversized  bool // the value was over MaxReplyBytes and is not kept (design rule 5)
	Record     Coordinates
}

// Coordinates say where a record stands in Kafka.
type Coordinates struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Woken asks to look at what is due at Env.At.
type Woken struct{}

// Acted is an operator's wish (design rule 12).
type Acted struct {
	Action  Action
	Step    string          // empty for actions on the saga as a whole
	Output  json.RawMessage // complete, skip; nil: null
	Payload json.RawMessage // retry, corrected; nil: unchanged
	Version int             `json:",omitempty"` // rebind: to which
	To      *Target         `json:"-"`          // rebind: that version; nil: there is none. Whoever judges the wish looks it up
	Reason  string          // mandatory
	By      string
}

// PublishRefused says that the broker refused a command for good: too large or invalid, and sent alone.
type PublishRefused struct {
	Step    string
	Verb    Verb // Execute (probes too) or Compensate
	Edition int
	Attempt int
	// MaybeSent: an earlier try to publish this attempt had an unknown outcome.
	MaybeSent bool
	Message   string
}

func (Started) body()        {}
func (Replied) body()        {}
func (Woken) body()          {}
func (Acted) body()          {}
func (PublishRefused) body() {}

// Action is what an operator can do.
type Action string

// The actions of an operator.
const (
	ActionCancel      Action = "cancel"
	ActionPause       Action = "pause"
	ActionResume      Action = "resume"
	ActionRetry       Action = "retry"
	ActionComplete    Action = "complete"
	ActionReject      Action = "reject"
	ActionSkip        Action = "skip"
	ActionWaive       Action = "waive"
	ActionAbandon     Action = "abandon"
	ActionAcknowledge Action = "acknowledge"
	ActionRebind      Action = "rebind"
)

// Actions lists every action within a version; rebind, which leads to another one, is not among them.
func Actions() []Action {
	return []Action{
		ActionCancel, ActionPause, ActionResume, ActionRetry, ActionComplete, ActionReject, ActionSkip,
		ActionWaive, ActionAbandon, ActionAcknowledge,
	}
}

// NeedsStep reports whether the action is about one step.
func (a Action) NeedsStep() bool {
	switch a {
	case ActionRetry, ActionComplete, ActionReject, ActionSkip, ActionWaive:
		return true
	case ActionCancel, ActionPause, ActionResume, ActionAbandon, ActionAcknowledge, ActionRebind:
		return false
	}
	return false
}
