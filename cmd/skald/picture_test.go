package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got), "what people see has changed; -update if that is wanted")
}

func began() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }

func after(ms int) time.Time { return began().Add(time.Duration(ms) * time.Millisecond) }

func at(ms int) *time.Time {
	t := after(ms)
	return &t
}

// waiting is a saga in the midst of being undone, with everything that a picture can show.
func waiting() client.Saga {
	return client.Saga{
		ID: "019aa000-0000-7000-8000-000000000001", Saga: "order-placement", Version: 1, Key: "A-1001", Status: client.Suspended, Paused: true,
		Revision: 12, CreatedAt: began(), Labels: map[string]string{"team": "blue", "app": "web\x1b[31m"},
		Abort: &client.Abort{Reason: "step_rejected", Step: "reserve-items", Code: "sold_out", Message: "not enough in stock"},
		Steps: []client.Step{
			{Name: "create-order", Participant: "orders", Kind: "compensatable", Status: "succeeded", Effect: "certain", Attempts: 1, StartedAt: at(0), EndedAt: at(40)},
			{
				Name: "charge-payment", Participant: "payments", Kind: "compensatable", Status: "undo_failed", Effect: "undo_failed", Attempts: 2, UndoAttempts: 3,
				StartedAt: at(40), EndedAt: at(2040), Error: &client.StepError{Code: "payment_unknown", Message: "no charged payment"}, Disputed: true,
			},
			{Name: "reserve-items", Participant: "inventory", Kind: "compensatable", Status: "rejected", Effect: "none", Attempts: 1, StartedAt: at(100), EndedAt: at(130)},
			{Name: "confirm-order", Participant: "orders", Kind: "pivot", Status: "pending", Effect: "none"},
		},
		BlockedOn: []client.BlockedOn{
			{Cause: "attention", Step: "charge-payment", Reason: "undo_failed", Since: after(2040)},
			{Cause: "reply", Step: "create-order", Participant: "orders", Verb: "compensate", Attempt: 2, Since: after(1000), Until: at(65_000)},
			{Cause: "backoff", Step: "create-order", Since: after(1000)},
			{Cause: "unpublished", Step: "create-order", Since: after(1000)},
			{Cause: "hold", Since: after(1000), Message: "deploying"},
		},
		Attention: []client.Attention{{Reason: "undo_failed", Step: "charge-payment", Since: after(2040)}},
	}
}

func TestPicture_Waiting(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sg := waiting()
	picture(&console{streams: streams{out: &out}}, &sg, after(60_000))
	golden(t, "picture-waiting", out.String())
	require.NotContains(t, out.String(), "\x1b", "what a saga carries must not steer the terminal")
}

func TestPicture_Ended(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sg := waiting()
	sg.Status, sg.Paused, sg.BlockedOn, sg.Attention, sg.EndedAt = client.Abandoned, false, nil, nil, at(90_000)
	sg.Output = json.RawMessage(`{"order_id": "A-1001"}`)
	sg.Certificate = &client.Certificate{
		Verdict: "residue", Amended: true,
		Effects: []client.StepEffect{{Step: "create-order", Effect: "undone"}, {Step: "charge-payment", Effect: "undo_failed"}},
		Residue: []client.StepEffect{{Step: "charge-payment", Effect: "undo_failed"}},
	}
	picture(&console{streams: streams{out: &out}}, &sg, after(100_000))
	golden(t, "picture-ended", out.String())
}

func TestPicture_Colours(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sg := waiting()
	picture(&console{streams: streams{out: &out}, style: style{on: true}}, &sg, after(60_000))
	require.Contains(t, out.String(), "\x1b[31msuspended\x1b[0m")
}

// facts are one of each kind that a timeline has words for.
func facts() []client.Fact {
	record := func(topic string, offset int64) *client.Coordinates {
		return &client.Coordinates{Topic: topic, Partition: 3, Offset: offset}
	}
	return []client.Fact{
		{Type: "saga.started", By: "anonymous", Why: "The saga started."},
		{Type: "step.started", Step: "create-order", Record: record("orders.commands", 17)},
		{Type: "step.succeeded", Step: "create-order", Output: json.RawMessage(`{"order_id":"A-1001"}`)},
		{Type: "step.started", Step: "charge-payment"},
		{Type: "step.backed_off", Step: "charge-payment", Code: "gateway_unavailable", Message: "the gateway did not answer"},
		{Type: "step.sent", Step: "charge-payment", Attempt: 2, Record: record("payments.commands", 4)},
		{Type: "step.sent", Step: "charge-payment", Verb: "probe", Attempt: 3},
		{Type: "step.unknown", Step: "charge-payment", Code: "timeout"},
		{Type: "step.rejected", Step: "reserve-items", Code: "sold_out", Message: "not enough in stock"},
		{Type: "step.skipped", Step: "reserve-items", By: "ada", Wish: "not needed"},
		{Type: "step.held", Step: "reserve-items"},
		{Type: "step.stuck", Step: "reserve-items", Reason: "bad_output", Code: "bad_output"},
		{Type: "abort.started", Step: "reserve-items", Abort: &client.Abort{Reason: "step_rejected", Step: "reserve-items"}},
		{Type: "abort.started", Abort: &client.Abort{Reason: "step_unknown", Step: "charge-payment"}},
		{Type: "abort.started", Abort: &client.Abort{Reason: "cancelled"}, By: "ada", Wish: "customer called"},
		{Type: "abort.started", Abort: &client.Abort{Reason: "deadline"}},
		{Type: "undo.started", Step: "charge-payment", Record: record("payments.commands", 5)},
		{Type: "undo.backed_off", Step: "charge-payment", Code: "execute_open"},
		{Type: "undo.sent", Step: "charge-payment", Attempt: 2},
		{Type: "undo.succeeded", Step: "charge-payment", Code: "nothing_to_undo"},
		{Type: "undo.succeeded", Step: "create-order", Output: json.RawMessage(`{}`)},
		{Type: "undo.failed", Step: "charge-payment", Code: "payment_unknown"},
		{Type: "step.waived", Step: "charge-payment", By: "ada", Wish: "paid back by hand"},
		{Type: "attention.raised", Step: "charge-payment", Reason: "undo_failed"},
		{Type: "attention.cleared", Reason: "late_effect"},
		{Type: "cancel.refused", Why: "The cancel is refused: the pivot had succeeded."},
		{Type: "reply.ignored", Step: "create-order", Why: "A duplicate."},
		{Type: "reply.conflict", Step: "create-order", Code: "late"},
		{Type: "saga.suspended", Why: "Nothing can move without a person."},
		{Type: "saga.compensated", Certificate: &client.Certificate{Verdict: "cleanly_aborted"}},
		{Type: "saga.completed", Certificate: &client.Certificate{Verdict: "committed"}},
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	graph := &client.Graph{Nodes: []client.Node{
		{Step: "create-order", Participant: "orders", Command: "CreateOrder.v1", Compensation: "CancelOrder.v1"},
		{Step: "charge-payment", Participant: "payments", Command: "ChargePayment.v1", Compensation: "RefundPayment.v1"},
		{Step: "reserve-items", Participant: "inventory", Command: "ReserveItems.v1", Compensation: "ReleaseItems.v1"},
	}}
	var out bytes.Buffer
	lines := newTimeline(&out, style{}, "  ", began(), graph)
	for i, f := range facts() {
		f.At = after(i * i * 40)
		lines.fact(&f)
	}
	golden(t, "timeline", out.String())
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 999 * time.Millisecond: "999 ms", 1500 * time.Millisecond: "1.5 s", 61 * time.Second: "1m 1s",
		25 * time.Hour: "25h 0m", 72 * time.Hour: "3 d", -time.Second: "-1.0 s",
	} {
		require.Equal(t, want, took(d))
	}
}
