package saga_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestFact_Verdict(t *testing.T) {
	t.Parallel()
	at := &saga.Coordinates{Topic: "skald.replies", Partition: 1, Offset: 7}
	for name, c := range map[string]struct {
		fact saga.Fact
		want saga.ReplyVerdict
	}{
		"a fact about no answer":    {saga.Fact{Type: saga.StepStarted}, ""},
		"an answer":                 {saga.Fact{Type: saga.StepSucceeded, Reply: at}, saga.ReplyApplied},
		"a failure":                 {saga.Fact{Type: saga.StepBackedOff, Reply: at}, saga.ReplyApplied},
		"a contradiction":           {saga.Fact{Type: saga.ReplyConflict, Reply: at}, saga.ReplyContrary},
		"an answer after the end":   {saga.Fact{Type: saga.ReplyRecorded, Reply: at}, saga.ReplyLate},
		"an answer again":           {saga.Fact{Type: saga.ReplyIgnored, Reply: at, Why: "The same answer again."}, saga.ReplyDuplicate},
		"an answer to an old send":  {saga.Fact{Type: saga.ReplyIgnored, Reply: at, Why: "A stale answer: not to the newest attempt of an open step."}, saga.ReplyStale},
		"an answer to old editions": {saga.Fact{Type: saga.ReplyIgnored, Reply: at, Why: "An answer to an older edition."}, saga.ReplyStale},
	} {
		require.Equal(t, c.want, c.fact.Verdict(), name)
	}
}
