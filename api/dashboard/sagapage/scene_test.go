package sagapage

import (
	"encoding/json"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// began is when the sagas of these tests begin; they are looked at a minute later unless a scene says otherwise.
func began() time.Time { return time.Date(2026, 11, 21, 9, 41, 7, 0, time.UTC) }

func after(ms int) time.Time { return began().Add(time.Duration(ms) * time.Millisecond) }

func at(ms int) *time.Time {
	t := after(ms)
	return &t
}

// scene is a saga in some state, and when it is looked at.
type scene struct {
	Look
	Now time.Time
}

type planned struct{ name, participant, command, undo, kind string }

func orderSteps() []planned {
	return []planned{
		{"create-order", "orders", "CreateOrder.v1", "CancelOrder.v1", "compensatable"},
		{"charge-payment", "payments", "ChargePayment.v1", "RefundPayment.v1", "compensatable"},
		{"reserve-items", "inventory", "ReserveItems.v1", "ReleaseItems.v1", "compensatable"},
		{"confirm-order", "orders", "ConfirmOrder.v1", "", "pivot"},
		{"create-shipment", "shipping", "CreateShipment.v1", "", "retriable"},
	}
}

func chainOf(steps []planned) []client.Edge {
	var out []client.Edge
	for i := 1; i < len(steps); i++ {
		out = append(out, client.Edge{From: steps[i-1].name, To: steps[i].name})
	}
	return out
}

// newScene is a saga whose steps are all pending.
func newScene(name string, steps []planned, edges []client.Edge) *scene {
	s := &scene{Now: after(60_000)}
	s.Saga = client.Saga{
		ID: "019aa3f2-5b1c-7000-8000-00000000a003", Saga: name, Version: 1, Key: "A-1003", Tenant: "default", Status: client.Running, Revision: 3,
		CreatedAt: began(), UpdatedAt: began(), Labels: map[string]string{"channel": "web"}, Deadline: at(600_000),
		Input: json.RawMessage(`{"order_id":"A-1003","customer_id":"c-77","amount_cents":4200,"payment_token":"[redacted]","items":[{"sku":"sku-1","quantity":2}]}`),
	}
	s.Graph = client.Graph{ID: s.Saga.ID, Saga: name, Version: 1, Edges: edges}
	for _, p := range steps {
		s.Saga.Steps = append(s.Saga.Steps, client.Step{Name: p.name, Participant: p.participant, Kind: p.kind, Status: "pending", Effect: "none"})
		s.Graph.Nodes = append(s.Graph.Nodes, client.Node{Step: p.name, Participant: p.participant, Command: p.command, Compensation: p.undo, Kind: p.kind})
	}
	s.fact(0, client.Fact{Type: "saga.started", By: "web", Input: s.Saga.Input})
	return s
}

func newOrder() *scene {
	steps := orderSteps()
	return newScene("order-placement", steps, chainOf(steps))
}

func (s *scene) fact(ms int, f client.Fact) {
	f.Seq, f.At, f.EventID = int64(len(s.Facts)+1), after(ms), "e-1"
	s.Facts = append(s.Facts, f)
	s.Total = f.Seq
}

func (s *scene) step(name string) *client.Step {
	for i := range s.Saga.Steps {
		if s.Saga.Steps[i].Name == name {
			return &s.Saga.Steps[i]
		}
	}
	panic("no step " + name)
}

// asked lets a command go out.
func (s *scene) asked(ms int, name string, attempt int) {
	st := s.step(name)
	st.Status, st.Effect, st.Attempts, st.StartedAt = "in_flight", "possible", attempt, at(ms)
	kind := "step.started"
	if attempt > 1 {
		kind = "step.sent"
	}
	for i := range s.Graph.Edges {
		if s.Graph.Edges[i].To == name {
			s.Graph.Edges[i].Done = true
		}
	}
	s.fact(ms, client.Fact{
		Type: kind, Step: name, Verb: "execute", Attempt: attempt, Effect: "possible", Payload: json.RawMessage(`{"order_id":"A-1003"}`),
		Record: &client.Coordinates{Topic: st.Participant + ".commands", Partition: 2, Offset: int64(5100 + ms/10), At: at(ms + 3)},
	})
}

// answered lets a participant answer; a failure backs off.
func (s *scene) answered(ms int, name, outcome, code, message string) {
	st := s.step(name)
	st.EndedAt = at(ms)
	f := client.Fact{
		Step: name, Verb: "execute", Attempt: st.Attempts, Outcome: outcome, Code: code, Message: message, Verdict: "applied",
		Reply: &client.Coordinates{Topic: "skald.replies", Partition: 4, Offset: int64(8800 + ms/10)},
	}
	switch outcome {
	case "succeeded":
		st.Status, st.Effect, f.Type, f.Output = "succeeded", "certain", "step.succeeded", json.RawMessage(`{"id":"x-`+name+`"}`)
		st.Output = f.Output
	case "rejected":
		st.Status, st.Effect, f.Type = "rejected", "none", "step.rejected"
	case "failed":
		st.Status, f.Type, st.EndedAt = "backing_off", "step.backed_off", nil
	}
	if code != "" {
		st.Error = &client.StepError{Code: code, Message: message}
	}
	s.fact(ms, f)
}

// did is a step that succeeded at once.
func (s *scene) did(ms int, name string, took int) {
	s.asked(ms, name, 1)
	s.answered(ms+took, name, "succeeded", "", "")
}

func (s *scene) aborts(ms int, a client.Abort) {
	a.At = after(ms)
	s.Saga.Abort, s.Saga.Status, s.Saga.Deadline = &a, client.Compensating, nil
	s.fact(ms, client.Fact{Type: "abort.started", Step: a.Step, Abort: &a})
}

func (s *scene) undoes(ms int, name string, attempt int) {
	st := s.step(name)
	st.Status, st.UndoAttempts = "undoing", attempt
	kind := "undo.started"
	if attempt > 1 {
		kind = "undo.sent"
	}
	s.fact(ms, client.Fact{
		Type: kind, Step: name, Verb: "compensate", Attempt: attempt,
		Record: &client.Coordinates{Topic: st.Participant + ".commands", Partition: 2, Offset: int64(5100 + ms/10), At: at(ms + 2)},
	})
}

func (s *scene) undone(ms int, name string) {
	st := s.step(name)
	st.Status, st.Effect = "undone", "undone"
	s.fact(ms, client.Fact{
		Type: "undo.succeeded", Step: name, Verb: "compensate", Outcome: "succeeded", Verdict: "applied",
		Reply: &client.Coordinates{Topic: "skald.replies", Partition: 4, Offset: int64(8800 + ms/10)},
	})
}

func (s *scene) ends(ms int, status client.Status, verdict string) {
	s.Saga.Status, s.Saga.EndedAt, s.Saga.Deadline, s.Saga.BlockedOn = status, at(ms), nil, nil
	c := &client.Certificate{Verdict: verdict}
	for _, st := range s.Saga.Steps {
		e := client.StepEffect{Step: st.Name, Effect: st.Effect, ByOperator: st.ByOperator}
		c.Effects = append(c.Effects, e)
		if verdict == "residue" && st.Effect != "none" && st.Effect != "undone" {
			c.Residue = append(c.Residue, e)
		}
	}
	s.Saga.Certificate = c
	s.fact(ms, client.Fact{Type: "saga." + string(status), Certificate: c})
}

func (s *scene) waits(b client.BlockedOn) {
	if b.Participant == "" && b.Step != "" {
		b.Participant = s.step(b.Step).Participant
	}
	s.Saga.BlockedOn = append(s.Saga.BlockedOn, b)
}

func (s *scene) can(choices ...Choice) { s.Possible = append(s.Possible, choices...) }
