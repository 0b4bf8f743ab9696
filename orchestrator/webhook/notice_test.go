package webhook_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/orchestrator/webhook"
	"github.com/skaldhq/skald/participants/wire"
)

// event is a fact as the engine publishes it.
func event(t *testing.T, f saga.Fact) orchestrator.Record {
	t.Helper()
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	id, err := saga.ParseID("019aa000-0000-7000-8000-000000000000")
	require.NoError(t, err)
	in := saga.Instance{ID: id, Tenant: "default", Saga: "order-placement", Version: 2, Key: "A-1", Input: json.RawMessage(`{"canary":1}`)}
	f.Sequence, f.At = 7, notice().At
	return kafka.NewCodec(wire.Topics{}, "test", keys).Event(&in, f)
}

func TestNoticeOf(t *testing.T) {
	t.Parallel()
	residue := []saga.StepEffect{{Step: "charge-payment", Effect: saga.EffectPossible}}
	left := &saga.Certificate{Verdict: saga.Residue, Effects: residue, Residue: residue}
	clean := &saga.Certificate{Verdict: saga.CleanlyAborted}
	of := func(n webhook.Notice, change func(*webhook.Notice)) *webhook.Notice {
		n.Step, n.Reason, n.Type = "", "", webhook.SagaResidue
		n.Verdict, n.Residue = saga.Residue, residue
		change(&n)
		return &n
	}
	attention := notice()
	for name, c := range map[string]struct {
		fact saga.Fact
		want *webhook.Notice // nil: nobody is asked for
	}{
		"attention": {saga.Fact{Type: saga.AttentionRaised, Step: "charge-payment", Reason: "slow"}, &attention},
		"suspended": {saga.Fact{Type: saga.SagaSuspended, Why: "It is stuck."}, of(notice(), func(n *webhook.Notice) {
			n.Type, n.Verdict, n.Residue, n.Why = webhook.SagaSuspended, "", nil, "It is stuck."
		})},
		"compensated with residue": {saga.Fact{Type: saga.SagaCompensated, End: left}, of(notice(), func(n *webhook.Notice) { n.Status = saga.Compensated })},
		"abandoned with residue":   {saga.Fact{Type: saga.SagaAbandoned, End: left}, of(notice(), func(n *webhook.Notice) { n.Status = saga.Abandoned })},
		"amended to residue":       {saga.Fact{Type: saga.CertificateAmended, End: left}, of(notice(), func(*webhook.Notice) {})},
		"committed, with a skipped step that took effect": {
			saga.Fact{Type: saga.SagaCompleted, End: &saga.Certificate{Verdict: saga.Committed, Residue: residue}},
			of(notice(), func(n *webhook.Notice) { n.Status, n.Verdict = saga.Completed, saga.Committed }),
		},
		"compensated cleanly": {saga.Fact{Type: saga.SagaCompensated, End: clean}, nil},
		"completed":           {saga.Fact{Type: saga.SagaCompleted, End: &saga.Certificate{Verdict: saga.Committed}}, nil},
		"started":             {saga.Fact{Type: saga.SagaStarted, Start: &saga.Start{Input: json.RawMessage(`{"canary":1}`)}}, nil},
		"attention cleared":   {saga.Fact{Type: saga.AttentionCleared, Reason: "slow"}, nil},
		"a step's":            {saga.Fact{Type: saga.StepSucceeded, Output: json.RawMessage(`{"canary":1}`)}, nil},
	} {
		got, asks, err := webhook.NoticeOf(event(t, c.fact))
		require.NoError(t, err, name)
		require.Equal(t, c.want != nil, asks, name)
		if c.want != nil {
			require.Equal(t, *c.want, got, name)
		}
	}
	broken := event(t, saga.Fact{Type: saga.SagaSuspended})
	broken.Value = []byte("{")
	_, _, err := webhook.NoticeOf(broken)
	require.Error(t, err)
	broken = event(t, saga.Fact{Type: saga.SagaSuspended})
	broken.Headers = broken.Headers[:5] // up to ce_type
	_, _, err = webhook.NoticeOf(broken)
	require.ErrorContains(t, err, "names no saga")
	_, asks, err := webhook.NoticeOf(orchestrator.Record{Value: []byte("rubbish")})
	require.NoError(t, err)
	require.False(t, asks, "other people's records ask for nobody")
}

// An event that cannot be read holds nobody up.
func TestHandle_PassesOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s, log, outcomes := newSender(t, "http://127.0.0.1:1", func(c *webhook.Config) { c.GiveUp = time.Nanosecond })
	broken := event(t, saga.Fact{Type: saga.SagaSuspended})
	broken.Value = []byte("{")
	require.NoError(t, s.Handle(t.Context(), broken))
	require.Contains(t, log.String(), "cannot be read")
	require.NoError(t, s.Handle(t.Context(), event(t, saga.Fact{Type: saga.SagaStarted})))
	require.Empty(t, outcomes)
	require.NoError(t, s.Handle(t.Context(), event(t, saga.Fact{Type: saga.SagaSuspended})))
	require.Equal(t, 1, outcomes["given_up"])
}
