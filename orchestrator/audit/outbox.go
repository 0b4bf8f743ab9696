package audit

import (
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// checkOutboxRow answers what is wrong with a row of the outbox: that its sagas exist and know its commands (S3), and that
// somebody publishes it (S6). A saga is named at most once of each kind.
func checkOutboxRow(row *OutboxRow, page *Outbox, overdue time.Duration) []Problem {
	var out []Problem
	target := "batch " + row.Batch.String()
	add := func(kind Kind, id saga.ID, format string, args ...any) {
		out = append(out, Problem{Kind: kind, Saga: id, Target: target, What: fmt.Sprintf(format, args...)})
	}
	if row.RetryAt.IsZero() {
		return nil // a batch that was given up as lost; the keeper removes it after an hour
	}
	if late := page.At.Sub(row.RetryAt); late > overdue {
		add(OutboxOverdue, saga.ID{}, "it was to be published %s ago", late.Round(time.Second))
	}
	left, err := stored.OutboxRow(row.Batch, row.Records, row.Waiting, true)
	if err != nil {
		add(OutboxUnreadable, saga.ID{}, "its records cannot be read: %v", err)
		return out
	}
	if len(left.Records) == 0 {
		add(OutboxUnreadable, saga.ID{}, "none of its records waits")
	}
	type named struct {
		kind Kind
		id   saga.ID
	}
	said := map[named]bool{}
	for i := range left.Records {
		kind, what := checkRecord(&left.Records[i], page)
		if key := (named{kind, left.Records[i].Saga}); kind != "" && !said[key] {
			said[key] = true
			add(kind, left.Records[i].Saga, "record %d: %s", left.Indexes[i], what)
		}
	}
	return out
}

func checkRecord(r *orchestrator.Record, page *Outbox) (Kind, string) {
	bytes, exists := page.Sagas[r.Saga]
	if !exists {
		return OutboxWithoutSaga, fmt.Sprintf("a %s of a saga that does not exist", r.Kind)
	}
	if r.Kind != orchestrator.RecordCommand {
		return "", ""
	}
	in, err := saga.DecodeInstance(bytes)
	if err != nil {
		return "", "" // said of the saga itself
	}
	for i := range in.Steps {
		leg := &in.Steps[i].Forward
		if r.Verb == saga.Compensate {
			leg = &in.Steps[i].Backward
		}
		// Which step it is the definition tells, which is not at hand: some step must have asked for it.
		if leg.Created && (r.Edition < leg.Edition || r.Edition == leg.Edition && r.Attempt <= leg.Attempt) {
			return "", ""
		}
	}
	return OutboxUnknown, fmt.Sprintf("attempt %d of %s, which the saga has not asked for", r.Attempt, commandOf(r.Step, r.Verb, r.Edition))
}

// RecordSagas are the sagas that the waiting records of a row name, for the sources; nil where the row cannot be read.
func RecordSagas(row *OutboxRow) []saga.ID {
	left, err := stored.OutboxRow(row.Batch, row.Records, row.Waiting, true)
	if err != nil {
		return nil
	}
	ids := make([]saga.ID, len(left.Records))
	for i := range left.Records {
		ids[i] = left.Records[i].Saga
	}
	return ids
}
