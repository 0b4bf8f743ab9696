package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// waiting has the saga's open command acknowledged by the broker at an offset.
func (b *testBundle) waiting(offset int64) {
	b.engine.reader.mu.Lock()
	defer b.engine.reader.mu.Unlock()
	b.engine.reader.view.Sent = []saga.Sent{{Step: 1, Verb: saga.Execute, AckedAt: testTime.Add(time.Second), Partition: 2, Offset: offset, Queued: true}}
}

func TestSaga_BlockedOnSaysWhereTheCommandIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.waiting(77)
	b.engine.groups = map[string]orchestrator.Group{"payments": {Next: map[int32]int64{2: 70}}}
	path := "/v1/sagas/" + b.engine.reader.view.Instance.ID.String()
	got := answerIn[client.Saga](t, b.do(t, exchange{method: "GET", path: path}), http.StatusOK)
	require.Len(t, got.BlockedOn, 1)
	blocked := got.BlockedOn[0]
	require.Equal(t, "reply", blocked.Cause)
	require.Equal(t, "ChargePayment.v1", blocked.Command)
	acked := testTime.Add(time.Second)
	require.Equal(t, &client.Coordinates{Topic: "payments.commands", Partition: 2, Offset: 77, At: &acked}, blocked.Record)
	require.True(t, blocked.Queued)
	require.EqualValues(t, 7, *blocked.Lag)
	require.Zero(t, *blocked.Consumers)
	require.NotNil(t, blocked.SentAt)

	b.engine.groups = nil
	got = answerIn[client.Saga](t, b.do(t, exchange{method: "GET", path: path}), http.StatusOK)
	require.Nil(t, got.BlockedOn[0].Lag, "absent where it cannot be had")
	require.Nil(t, got.BlockedOn[0].Consumers)
}

// A record that came for the saga and could not be applied is named; in lists, and of a saga that has ended, nobody looks.
func TestSaga_NamesItsQuarantinedRecords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reader := b.engine.reader
	in := reader.view.Instance
	path := "/v1/sagas/" + in.ID.String()
	reader.quarantine[0].Saga, reader.quarantineQueries = in.ID, nil
	got := answerIn[client.Saga](t, b.do(t, exchange{method: "GET", path: path}), http.StatusOK)
	require.Len(t, got.Quarantined, 1)
	require.Equal(t, reader.quarantine[0].Reason, got.Quarantined[0].Reason)
	require.Equal(t, []orchestrator.QuarantineQuery{{Tenant: in.Tenant, Saga: in.ID, State: orchestrator.QuarantineWaiting, Limit: 5}}, reader.quarantineQueries)

	reader.quarantineQueries = nil
	b.do(t, exchange{method: "GET", path: "/v1/sagas"})
	require.Empty(t, reader.quarantineQueries)
	reader.mu.Lock()
	reader.view.Instance.Status = saga.Completed
	reader.mu.Unlock()
	got = answerIn[client.Saga](t, b.do(t, exchange{method: "GET", path: path}), http.StatusOK)
	require.Empty(t, got.Quarantined)
	require.Empty(t, reader.quarantineQueries)
}

func TestParticipants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.groups = map[string]orchestrator.Group{"payments": {Members: 2, Next: map[int32]int64{0: 5}, End: map[int32]int64{0: 9}}}
	b.engine.answers = orchestrator.Answers{Good: 3, Bad: 1}
	b.engine.holds = []orchestrator.HoldRow{{ID: 4, Hold: orchestrator.Hold{Scope: orchestrator.HoldParticipant, Name: "payments", Reason: "maintenance"}}}
	list := answerIn[client.ParticipantList](t, b.do(t, exchange{method: "GET", path: "/v1/participants"}), http.StatusOK)
	byName := map[string]client.Participant{}
	for _, p := range list.Items {
		byName[p.Name] = p
	}
	p := byName["payments"]
	require.EqualValues(t, 1, p.InFlight)
	require.EqualValues(t, 4, *p.Lag)
	require.Equal(t, 2, *p.Consumers)
	require.InDelta(t, 0.25, *p.ErrorRate, 1e-9)
	require.Equal(t, "maintenance", p.Hold.Reason)
	require.WithinDuration(t, time.Now().Add(-orchestrator.AnswersOver), p.Since, time.Minute)
}
