package orchestrator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestBatchStats_CountWhoIsAskedFor(t *testing.T) {
	t.Parallel()
	left := &saga.Certificate{Verdict: saga.Residue, Residue: []saga.StepEffect{{Step: "pay"}}}
	var s BatchStats
	s.ask([]saga.Fact{
		{Type: saga.SagaStarted},
		{Type: saga.AttentionRaised, Reason: saga.AttentionSlow},
		{Type: saga.AttentionRaised, Reason: saga.AttentionSlow},
		{Type: saga.AttentionCleared, Reason: saga.AttentionSlow},
		{Type: saga.SagaSuspended},
		{Type: saga.SagaCompleted, End: &saga.Certificate{Verdict: saga.Committed}},
		{Type: saga.SagaCompensated, End: &saga.Certificate{Verdict: saga.CleanlyAborted}},
	})
	require.Equal(t, BatchStats{Raised: []saga.AttentionReason{saga.AttentionSlow, saga.AttentionSlow}, Suspended: 1}, s)
	s.ask([]saga.Fact{{Type: saga.SagaAbandoned, End: left}, {Type: saga.CertificateAmended, End: left}})
	require.Equal(t, 2, s.Residue)
}
