package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/story"
)

// blocked is a saga that waits in every way there is.
func blocked() client.Saga {
	seven, none, zero := int64(7), 0, int64(0)
	sg := waiting()
	sg.Status, sg.Paused, sg.Abort, sg.Deadline = client.Running, false, nil, at(600_000)
	record := &client.Coordinates{Topic: "payments.commands", Partition: 3, Offset: 1042, At: at(1010)}
	sg.BlockedOn = []client.BlockedOn{
		{
			Cause: "reply", Step: "charge-payment", Participant: "payments", Verb: "execute", Command: "ChargePayment.v1", Attempt: 1,
			Since: after(1000), Until: at(65_000), Record: record, Queued: true, Lag: &seven, Consumers: &none,
		},
		{
			Cause: "reply", Step: "confirm-order", Participant: "orders", Verb: "execute", Command: "ConfirmOrder.v1", Attempt: 2,
			Since: after(1000), Until: at(61_500), Lag: &zero, HeartbeatAt: at(58_000),
		},
		{Cause: "reply", Step: "create-order", Participant: "orders", Verb: "compensate", Command: "CancelOrder.v1", Attempt: 1, Since: after(1000), Until: at(59_000)},
		{Cause: "backoff", Step: "create-order", Participant: "orders", Verb: "execute", Command: "CreateOrder.v1", Attempt: 2, Since: after(1000), Until: at(63_000), Message: "no\x1b[31m database"},
		{Cause: "unpublished", Step: "create-order", Participant: "orders", Command: "CreateOrder.v1", Since: after(1000)},
		{Cause: "hold", Step: "create-order", Held: "participant orders", By: "ann", Message: "deploying", Since: after(1000)},
		{Cause: "attention", Step: "charge-payment", Reason: "undo_failed", Message: "no charged payment", Since: after(2040)},
	}
	sg.Quarantined = []client.QuarantinedRecord{{ID: 4, Reason: "bad_token", At: after(57_000)}}
	sg.Attention = append(sg.Attention, client.Attention{Reason: "late_effect", Step: "create-order", Since: after(3000)})
	return sg
}

func TestWhy(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sg := blocked()
	why(&console{streams: streams{out: &out}}, &sg, after(60_000))
	golden(t, "why", out.String())
	require.NotContains(t, out.String(), "\x1b", "what a saga carries must not steer the terminal")
}

func TestWhy_EveryCommandItNamesIsThere(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sg := blocked()
	for _, reason := range []string{"rejected", "bad_output", "expression", "unpublishable", "invariant"} {
		sg.BlockedOn = append(sg.BlockedOn, client.BlockedOn{Cause: "attention", Step: "create-order", Reason: reason, Since: after(1)})
	}
	why(&console{streams: streams{out: &out}}, &sg, after(60_000))
	for line := range strings.SplitSeq(out.String(), "\n") {
		_, command, ok := strings.Cut(line, "skald ")
		if !ok {
			continue
		}
		var help, errs bytes.Buffer
		words := strings.Fields(command)
		require.Zero(t, run(t.Context(), []string{words[0], words[1], "--help"}, streams{out: &help, err: &errs}), "%s: %s", line, errs.String())
		for _, word := range words {
			if strings.HasPrefix(word, "--") {
				require.Contains(t, help.String(), word, line)
			}
		}
	}
}

func TestWhy_Ended(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sg := client.Saga{Saga: "order-placement", Version: 1, Status: client.Completed, CreatedAt: began(), EndedAt: at(500)}
	why(&console{streams: streams{out: &out}}, &sg, after(60_000))
	require.Contains(t, out.String(), "waits for nothing")
}

func TestGantt(t *testing.T) {
	t.Parallel()
	sg := waiting()
	facts := []client.Fact{
		{Type: "step.started", Step: "create-order", Attempt: 1, At: after(0)},
		{Type: "step.succeeded", Step: "create-order", At: after(1000)},
		{Type: "step.started", Step: "charge-payment", Attempt: 1, At: after(1000)},
		{Type: "step.backed_off", Step: "charge-payment", At: after(2000)},
		{Type: "step.sent", Step: "charge-payment", Attempt: 2, At: after(4000)},
		{Type: "step.succeeded", Step: "charge-payment", At: after(5000)},
		{Type: "step.held", Step: "reserve-items", At: after(5000)},
		{Type: "step.started", Step: "reserve-items", Attempt: 1, At: after(6000)},
		{Type: "step.rejected", Step: "reserve-items", At: after(7000)},
		{Type: "undo.started", Step: "charge-payment", Attempt: 1, At: after(7000)},
		{Type: "undo.backed_off", Step: "charge-payment", At: after(8000)},
		{Type: "undo.sent", Step: "charge-payment", Attempt: 2, At: after(8500)},
		{Type: "undo.failed", Step: "charge-payment", At: after(9000)},
		{Type: "undo.started", Step: "create-order", Attempt: 1, At: after(9000)},
		{Type: "attention.raised", Step: "charge-payment", At: after(9000)},
	}
	var out bytes.Buffer
	gantt(&console{streams: streams{out: &out}}, &sg, story.Bars(&sg, facts), 50, after(10_000))
	golden(t, "gantt", out.String())
}

func TestGraph(t *testing.T) {
	t.Parallel()
	g := client.Graph{
		Layers: 3, Nodes: []client.Node{
			{Step: "a", Participant: "orders", Command: "A.v1", Compensation: "UndoA.v1", Kind: "compensatable", Status: "succeeded"},
			{Step: "b", Participant: "payments", Command: "B.v1", Kind: "compensatable", Status: "in_flight", BlockedOn: "reply", Layer: 1},
			{Step: "c", Participant: "stock", Command: "C.v1", Kind: "compensatable", Status: "stuck", Attention: true, Layer: 1, Lane: 1},
			{Step: "d", Participant: "orders", Command: "D.v1", Kind: "pivot", Status: "pending", Layer: 2},
		},
		Edges: []client.Edge{{From: "a", To: "b"}, {From: "a", To: "c"}, {From: "b", To: "d"}},
	}
	var out bytes.Buffer
	graph(&console{streams: streams{out: &out}}, &g)
	golden(t, "graph", out.String())
}

func TestParticipantTable(t *testing.T) {
	t.Parallel()
	lag, members, rate := int64(12), 0, 0.5
	var out bytes.Buffer
	participantTable(&console{streams: streams{out: &out}}, []client.Participant{
		{Name: "orders", ParticipantCounts: client.ParticipantCounts{InFlight: 3}},
		{
			Name: "payments", ParticipantCounts: client.ParticipantCounts{BackingOff: 1, Held: 2, Stuck: 1}, Lag: &lag, Consumers: &members,
			Answers: 40, Failures: 20, ErrorRate: &rate, Hold: &client.Hold{Reason: "maintenance"},
		},
	})
	golden(t, "participants", out.String())
}
