package audit

import (
	"cmp"
	"slices"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Kind names what is wrong; stable, for programs.
type Kind string

// The kinds of problems. What they mean and what to do is in kinds.
const (
	InstanceUnreadable Kind = "instance_unreadable"
	FactUnreadable     Kind = "fact_unreadable"
	HistoryGap         Kind = "history_gap"
	HistoryIllegal     Kind = "history_illegal"
	HistoryWithoutSaga Kind = "history_without_saga"
	StateDiffers       Kind = "state_differs"
	ColumnDiffers      Kind = "column_differs"
	InvariantBroken    Kind = "invariant_broken"
	TerminalLeft       Kind = "terminal_left"
	OrderBroken        Kind = "order_broken"

	DefinitionMissing Kind = "definition_missing"
	DefinitionChanged Kind = "definition_changed"
	VersionChanged    Kind = "version_changed"

	WakeWrong   Kind = "wake_wrong"
	WakeLate    Kind = "wake_late"
	Overdue     Kind = "overdue"
	NobodyAsked Kind = "nobody_asked"

	CertificateDiffers Kind = "certificate_differs"
	VerdictWrong       Kind = "verdict_wrong"

	CommandLost        Kind = "command_lost"
	ReceiptUnreadable  Kind = "receipt_unreadable"
	ReceiptDoubtful    Kind = "receipt_doubtful"
	OutboxUnreadable   Kind = "outbox_unreadable"
	OutboxWithoutSaga  Kind = "outbox_without_saga"
	OutboxUnknown      Kind = "outbox_unknown_command"
	OutboxOverdue      Kind = "outbox_overdue"
	KeyMissing         Kind = "key_missing"
	KeyTaken           Kind = "key_taken"
	KeyRegressed       Kind = "key_regressed"
	KeyHash            Kind = "key_hash"
	KeyWithoutSaga     Kind = "key_without_saga"
	KeyOfAnother       Kind = "key_of_another"
	AnswerMissing      Kind = "answer_missing"
	AnswerUnreadable   Kind = "answer_unreadable"
	AnswerWithoutSaga  Kind = "answer_without_saga"
	ActionsChain       Kind = "actions_chain"
	ActionUnreadable   Kind = "action_unreadable"
	ActionWithoutSaga  Kind = "action_without_saga"
	ActionWithoutTrace Kind = "action_without_trace"
	PayloadLeft        Kind = "payload_left"
)

// kindInfo is the guarantee that a kind breaks, and what to do next.
type kindInfo struct {
	guarantee string
	next      string
}

// kinds tells of each kind which guarantee it breaks and what to do next.
func kinds() map[Kind]kindInfo {
	const (
		restore    = "somebody changed the table by hand, or storage lost bytes: restore the rows of this saga from a backup"
		report     = "no one may write this table but the engine; if nobody else did, report it with `skald saga history` of the saga"
		replicas   = "see that a replica runs and is ready (/readyz); its sweep looks every 2 s"
		person     = "`skald saga get` it; `retry`, `complete` or `abandon` as it allows"
		definition = "restore the row of skald.definitions from a backup; a version never changes (S20)"
		key        = "look at both sagas; correct skald.business_keys to name the live one, or the newest"
		published  = "it is sent again when the attempt times out; to send it now: `skald saga retry` once it backs off"
		actions    = "somebody changed the record of operator actions: keep a copy, and compare it with a backup"
	)
	return map[Kind]kindInfo{
		InstanceUnreadable: {"S4", "the history can rebuild it: " + restore},
		FactUnreadable:     {"S4", restore},
		HistoryGap:         {"S4", restore},
		HistoryIllegal:     {"S4", restore},
		HistoryWithoutSaga: {"S3", "somebody deleted the saga's row: restore it from a backup, or delete its history too"},
		StateDiffers:       {"S4", report},
		ColumnDiffers:      {"S3", report},
		InvariantBroken:    {"S11", "only `skald saga abandon` is left; report its history"},
		TerminalLeft:       {"S16", report},
		OrderBroken:        {"S12", report},
		DefinitionMissing:  {"S20", definition},
		DefinitionChanged:  {"S20", definition},
		VersionChanged:     {"S20", report},
		WakeWrong:          {"L2", "UPDATE skald.sagas SET wake_at = now() where it has not ended, NULL where it has; then report it"},
		WakeLate:           {"L2", "UPDATE skald.sagas SET wake_at = now() for it; then report it"},
		Overdue:            {"L2", replicas},
		NobodyAsked:        {"L1", person},
		CertificateDiffers: {"S11", report},
		VerdictWrong:       {"S11", report},
		CommandLost:        {"S6", published},
		ReceiptUnreadable:  {"S6", restore},
		ReceiptDoubtful:    {"S6", report},
		OutboxUnreadable:   {"S6", "copy the row away and delete it: its sagas send again when their attempts time out"},
		OutboxWithoutSaga:  {"S3", "restore the saga's rows from a backup, or delete the row of the outbox"},
		OutboxUnknown:      {"S3", report},
		OutboxOverdue:      {"S6", "see that a replica runs and reaches Kafka (its log: `publishing is tried again`)"},
		KeyMissing:         {"S2", key},
		KeyTaken:           {"S2", key},
		KeyRegressed:       {"S2", key},
		KeyHash:            {"S2", key},
		KeyWithoutSaga:     {"S2", "restore the saga's rows from a backup, or delete the key so that it can be used again"},
		KeyOfAnother:       {"S2", key},
		AnswerMissing:      {"S2", "delete the row of skald.idempotency_keys: the request may be sent again; report it"},
		AnswerUnreadable:   {"S2", "delete the row of skald.idempotency_keys: the request may be sent again"},
		AnswerWithoutSaga:  {"S1", "a client was told of this saga: restore its rows from a backup"},
		ActionsChain:       {"S3", actions},
		ActionUnreadable:   {"S3", actions},
		ActionWithoutSaga:  {"S3", "restore the saga's rows from a backup"},
		ActionWithoutTrace: {"S3", report},
		PayloadLeft:        {"S3", report},
	}
}

// Problem is one thing wrong.
type Problem struct {
	Kind      Kind    `json:"kind"`
	Guarantee string  `json:"guarantee"` // that it breaks
	Tenant    string  `json:"tenant,omitempty"`
	Saga      saga.ID `json:"saga,omitzero"`
	Target    string  `json:"target,omitempty"` // a key, a batch, an entry; empty: the saga
	What      string  `json:"what"`
	Next      string  `json:"next"` // what to do
}

// Report is what an audit came to.
type Report struct {
	Checked Checked `json:"checked"`
	// Problems are the first Config.Limit ones, by saga; Found counts all.
	Problems []Problem    `json:"problems"`
	Found    map[Kind]int `json:"found"`
}

// Checked counts what was looked at.
type Checked struct {
	Sagas   int `json:"sagas"`
	Live    int `json:"live"`
	Facts   int `json:"facts"`
	Outbox  int `json:"outbox_rows"`
	Keys    int `json:"keys"`
	Actions int `json:"actions"` // of operators
}

func (c *Checked) add(o Checked) {
	c.Sagas += o.Sagas
	c.Live += o.Live
	c.Facts += o.Facts
	c.Outbox += o.Outbox
	c.Keys += o.Keys
	c.Actions += o.Actions
}

// Clean reports whether nothing is wrong.
func (r *Report) Clean() bool { return len(r.Found) == 0 }

func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), slices.Compare(a.Saga[:], b.Saga[:]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Target, b.Target))
	})
}
