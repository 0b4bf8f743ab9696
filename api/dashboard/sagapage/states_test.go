package sagapage

import (
	"encoding/json"
	"fmt"

	"github.com/skaldhq/skald/api/client"
)

// states are the sagas that the golden pages show.
func states() map[string]*scene {
	return map[string]*scene{
		"running": running(), "queued": queued(), "backing-off": backingOff(), "breaker": heldByBreaker(), "compensating": compensating(),
		"refused": refusedPayment(), "stuck-after-pivot": stuckAfterPivot(), "undo-failed": undoFailed(), "suspended": suspended(),
		"abandoned": abandoned(), "paused": paused(), "parallel": parallel(), "parallel-back": parallelBack(), "completed": completed(),
		"late-effect": lateEffect(), "hostile": hostile(), "long": longChain(),
	}
}

func live() []Choice {
	return []Choice{{Action: client.ActionCancel}, {Action: client.ActionPause}, {Action: client.ActionAbandon}, {Action: ActionRebind}}
}

func running() *scene {
	s := newOrder()
	s.Now = after(1450)
	s.did(4, "create-order", 12)
	s.did(20, "charge-payment", 341)
	s.asked(365, "reserve-items", 1)
	s.waits(client.BlockedOn{
		Cause: "reply", Step: "reserve-items", Verb: "execute", Command: "ReserveItems.v1", Attempt: 1, Since: after(365), Until: at(5365),
		Record: &client.Coordinates{Topic: "inventory.commands", Partition: 2, Offset: 5136, At: at(368)},
	})
	s.can(append(live(), Choice{client.ActionComplete, "reserve-items"}, Choice{client.ActionReject, "reserve-items"})...)
	return s
}

func queued() *scene {
	s := newOrder()
	s.Now = after(95_000)
	s.did(4, "create-order", 12)
	s.asked(20, "charge-payment", 1)
	lag, members := int64(1240), 0
	s.waits(client.BlockedOn{
		Cause: "reply", Step: "charge-payment", Verb: "execute", Command: "ChargePayment.v1", Attempt: 1, Since: after(20), Until: at(99_000), Queued: true,
		Lag: &lag, Consumers: &members, Record: &client.Coordinates{Topic: "payments.commands", Partition: 3, Offset: 1042, At: at(25)},
	})
	s.Saga.Attention = []client.Attention{{Reason: "slow", Step: "charge-payment", Since: after(50_000)}}
	s.can(append(live(), Choice{client.ActionComplete, "charge-payment"}, Choice{client.ActionReject, "charge-payment"})...)
	return s
}

func backingOff() *scene {
	s := newOrder()
	s.Now = after(3100)
	s.did(4, "create-order", 12)
	s.asked(20, "charge-payment", 1)
	s.answered(60, "charge-payment", "failed", "provider_down", "card processor answers 503")
	s.asked(270, "charge-payment", 2)
	s.answered(420, "charge-payment", "failed", "provider_down", "card processor answers 503")
	s.asked(830, "charge-payment", 3)
	s.answered(1830, "charge-payment", "failed", "provider_down", "card processor answers 503")
	s.step("charge-payment").RetryAt = at(3430)
	s.waits(client.BlockedOn{
		Cause: "backoff", Step: "charge-payment", Verb: "execute", Command: "ChargePayment.v1", Attempt: 3, Since: after(830), Until: at(3430),
		Message: "card processor answers 503",
	})
	s.can(append(live(), Choice{client.ActionRetry, "charge-payment"}, Choice{client.ActionComplete, "charge-payment"}, Choice{client.ActionReject, "charge-payment"})...)
	return s
}

func heldByBreaker() *scene {
	s := newOrder()
	s.did(4, "create-order", 12)
	st := s.step("charge-payment")
	st.Status = "held"
	s.fact(16, client.Fact{Type: "step.held", Step: "charge-payment", Why: "charge-payment is held: the breaker of payments is open."})
	s.waits(client.BlockedOn{
		Cause: "hold", Step: "charge-payment", Since: after(16), Held: "participant payments", By: "skald",
		Message: "the breaker is open: 42 of the last 50 commands failed",
	})
	s.can(append(live(), Choice{client.ActionSkip, "charge-payment"})...)
	return s
}

func refusedBy() client.Abort {
	return client.Abort{Reason: "step_rejected", Step: "charge-payment", Code: "card_declined", Message: "the card was declined"}
}

func compensating() *scene {
	s := newOrder()
	s.Now = after(900)
	s.did(4, "create-order", 12)
	s.did(20, "charge-payment", 120)
	s.asked(145, "reserve-items", 1)
	s.answered(154, "reserve-items", "rejected", "sold_out", "sku-1 is sold out")
	s.aborts(154, client.Abort{Reason: "step_rejected", Step: "reserve-items", Code: "sold_out", Message: "sku-1 is sold out"})
	s.undoes(155, "charge-payment", 1)
	s.waits(client.BlockedOn{
		Cause: "reply", Step: "charge-payment", Verb: "compensate", Command: "RefundPayment.v1", Attempt: 1, Since: after(155), Until: at(5155),
		Record: &client.Coordinates{Topic: "payments.commands", Partition: 2, Offset: 5115, At: at(158)},
	})
	s.can(Choice{Action: client.ActionPause}, Choice{Action: client.ActionAbandon}, Choice{Action: ActionRebind})
	return s
}

func refusedPayment() *scene {
	s := newOrder()
	s.did(4, "create-order", 12)
	s.asked(20, "charge-payment", 1)
	s.answered(48, "charge-payment", "rejected", "card_declined", "the card was declined")
	s.aborts(48, refusedBy())
	s.undoes(49, "create-order", 1)
	s.undone(63, "create-order")
	s.ends(63, client.Compensated, "cleanly_aborted")
	return s
}

func stuckAfterPivot() *scene {
	s := newOrder()
	s.Now = after(252_000)
	s.did(4, "create-order", 12)
	s.did(20, "charge-payment", 341)
	s.did(365, "reserve-items", 9)
	s.did(380, "confirm-order", 14)
	s.asked(396, "create-shipment", 1)
	s.answered(420, "create-shipment", "rejected", "no_such_place", "nobody delivers to nowhere")
	st := s.step("create-shipment")
	st.Status, st.Why = "stuck", "rejected"
	s.fact(421, client.Fact{Type: "step.stuck", Step: "create-shipment", Reason: "rejected", Code: "no_such_place", Message: "nobody delivers to nowhere"})
	s.fact(421, client.Fact{Type: "attention.raised", Step: "create-shipment", Reason: "rejected"})
	s.fact(421, client.Fact{Type: "saga.suspended", Why: "Nothing can move without a person."})
	s.Saga.Status = client.Suspended
	s.Saga.Attention = []client.Attention{{Reason: "rejected", Step: "create-shipment", Since: after(421)}}
	s.waits(client.BlockedOn{Cause: "attention", Step: "create-shipment", Reason: "rejected", Message: "nobody delivers to nowhere", Since: after(421)})
	s.can(Choice{Action: client.ActionPause}, Choice{Action: client.ActionAbandon}, Choice{Action: ActionRebind},
		Choice{client.ActionRetry, "create-shipment"}, Choice{client.ActionComplete, "create-shipment"}, Choice{client.ActionSkip, "create-shipment"})
	return s
}

func undoFailed() *scene {
	s := newOrder()
	s.Now = after(252_000)
	s.did(4, "create-order", 12)
	s.asked(20, "charge-payment", 1)
	s.answered(250, "charge-payment", "failed", "busy", "")
	s.asked(900, "charge-payment", 2)
	s.answered(1180, "charge-payment", "succeeded", "", "")
	s.asked(1200, "reserve-items", 1)
	s.answered(1360, "reserve-items", "rejected", "sold_out", "sku-1 is sold out")
	s.aborts(1360, client.Abort{Reason: "step_rejected", Step: "reserve-items", Code: "sold_out", Message: "sku-1 is sold out"})
	s.undoes(1370, "charge-payment", 1)
	st := s.step("charge-payment")
	st.Status, st.Effect, st.Error = "undo_failed", "undo_failed", &client.StepError{Code: "account_closed", Message: "card account closed"}
	s.fact(1410, client.Fact{
		Type: "undo.failed", Step: "charge-payment", Verb: "compensate", Attempt: 1, Outcome: "rejected", Code: "account_closed", Message: "card account closed",
		Verdict: "applied", Reply: &client.Coordinates{Topic: "skald.replies", Partition: 4, Offset: 8812},
	})
	s.fact(1410, client.Fact{Type: "attention.raised", Step: "charge-payment", Reason: "undo_failed"})
	s.fact(1410, client.Fact{Type: "saga.suspended", Why: "Nothing can move without a person."})
	s.Saga.Status, s.Saga.Revision = client.Suspended, 11
	s.Saga.Attention = []client.Attention{{Reason: "undo_failed", Step: "charge-payment", Since: after(1410)}}
	s.waits(client.BlockedOn{Cause: "attention", Step: "charge-payment", Reason: "undo_failed", Message: "card account closed", Since: after(1410)})
	s.can(Choice{Action: client.ActionPause}, Choice{Action: client.ActionAbandon}, Choice{Action: ActionRebind},
		Choice{client.ActionRetry, "charge-payment"}, Choice{client.ActionComplete, "charge-payment"}, Choice{client.ActionWaive, "charge-payment"})
	return s
}

func suspended() *scene {
	s := newOrder()
	s.Now = after(7_300_000)
	s.did(4, "create-order", 12)
	st := s.step("charge-payment")
	st.Status, st.Why, st.Error = "stuck", "expression", &client.StepError{Code: "expression", Message: "no such key: card"}
	s.fact(17, client.Fact{Type: "step.stuck", Step: "charge-payment", Reason: "expression", Message: "no such key: card"})
	s.Saga.Status = client.Suspended
	s.Saga.Attention = []client.Attention{{Reason: "expression", Step: "charge-payment", Since: after(17)}}
	s.waits(client.BlockedOn{Cause: "attention", Step: "charge-payment", Reason: "expression", Message: "no such key: card", Since: after(17)})
	s.can(append(live(), Choice{client.ActionRetry, "charge-payment"}, Choice{client.ActionSkip, "charge-payment"}, Choice{client.ActionComplete, "charge-payment"})...)
	return s
}

func abandoned() *scene {
	s := undoFailed()
	s.Saga.Attention, s.Possible = nil, nil
	s.fact(200_000, client.Fact{Type: "saga.abandoned", By: "ann", Wish: "refunded by bank transfer"})
	s.ends(200_000, client.Abandoned, "residue")
	return s
}

func paused() *scene {
	s := running()
	s.Now = after(400_000)
	s.Saga.Paused, s.Saga.Pause, s.Saga.BlockedOn = true, &client.Pause{Since: after(2000), By: "ann", Reason: "stock count in the warehouse"}, nil
	s.fact(2000, client.Fact{Type: "saga.paused", By: "ann", Wish: "stock count in the warehouse"})
	st := s.step("reserve-items")
	st.Status, st.Effect, st.Attempts = "held", "none", 0
	s.waits(client.BlockedOn{Cause: "hold", Step: "reserve-items", Since: after(2000), Held: "saga", By: "ann", Message: "stock count in the warehouse"})
	s.Possible = []Choice{{Action: client.ActionCancel}, {Action: client.ActionResume}, {Action: client.ActionAbandon}, {client.ActionSkip, "reserve-items"}}
	return s
}

func tripSteps() ([]planned, []client.Edge) {
	steps := []planned{
		{"open-booking", "trips", "OpenBooking.v1", "CloseBooking.v1", "compensatable"},
		{"book-flight", "flights", "BookFlight.v1", "CancelFlight.v1", "compensatable"},
		{"book-hotel", "hotels", "BookHotel.v1", "CancelHotel.v1", "compensatable"},
		{"rent-car", "cars", "RentCar.v1", "ReturnCar.v1", "compensatable"},
		{"charge-traveller", "payments", "Charge.v1", "", "pivot"},
		{"send-tickets", "mail", "SendTickets.v1", "", "retriable"},
		{"award-miles", "loyalty", "AwardMiles.v1", "", "retriable"},
	}
	var edges []client.Edge
	for _, e := range [][2]int{{0, 1}, {0, 2}, {0, 3}, {1, 4}, {2, 4}, {3, 4}, {4, 5}, {4, 6}} {
		edges = append(edges, client.Edge{From: steps[e[0]].name, To: steps[e[1]].name})
	}
	return steps, edges
}

func parallel() *scene {
	steps, edges := tripSteps()
	s := newScene("book-trip", steps, edges)
	s.Now = after(2400)
	s.did(4, "open-booking", 20)
	s.asked(26, "book-flight", 1)
	s.asked(26, "book-hotel", 1)
	s.asked(26, "rent-car", 1)
	s.answered(480, "book-hotel", "succeeded", "", "")
	s.answered(700, "rent-car", "failed", "timeout", "no answer of the rental desk")
	s.waits(client.BlockedOn{Cause: "reply", Step: "book-flight", Verb: "execute", Command: "BookFlight.v1", Attempt: 1, Since: after(26), Until: at(30_000)})
	s.waits(client.BlockedOn{Cause: "backoff", Step: "rent-car", Verb: "execute", Command: "RentCar.v1", Attempt: 1, Since: after(26), Until: at(4000), Message: "no answer of the rental desk"})
	s.can(append(live(), Choice{client.ActionRetry, "rent-car"})...)
	return s
}

func parallelBack() *scene {
	s := parallel()
	s.Saga.BlockedOn = nil
	s.answered(1500, "book-flight", "rejected", "full", "no seat left")
	s.aborts(1500, client.Abort{Reason: "step_rejected", Step: "book-flight", Code: "full", Message: "no seat left"})
	st := s.step("rent-car")
	st.Status, st.Effect = "unknown", "possible"
	s.fact(1500, client.Fact{Type: "step.unknown", Step: "rent-car"})
	s.undoes(1501, "book-hotel", 1)
	s.undoes(1501, "rent-car", 1)
	s.undone(1620, "book-hotel")
	s.waits(client.BlockedOn{Cause: "reply", Step: "rent-car", Verb: "compensate", Command: "ReturnCar.v1", Attempt: 1, Since: after(1501), Until: at(6500)})
	s.Possible = []Choice{{Action: client.ActionPause}, {Action: client.ActionAbandon}}
	return s
}

func completed() *scene {
	s := newOrder()
	s.did(4, "create-order", 12)
	s.did(20, "charge-payment", 341)
	s.did(365, "reserve-items", 9)
	s.did(380, "confirm-order", 14)
	s.did(396, "create-shipment", 120)
	s.Saga.Output = json.RawMessage(`{"order_id":"A-1003","shipment_id":"s-1"}`)
	s.ends(517, client.Completed, "committed")
	return s
}

func lateEffect() *scene {
	s := refusedPayment()
	s.Now = after(400_000)
	s.step("charge-payment").Effect = "certain"
	s.Saga.Certificate.Verdict, s.Saga.Certificate.Amended = "residue", true
	s.Saga.Certificate.Effects[1].Effect = "certain"
	s.Saga.Certificate.Residue = []client.StepEffect{{Step: "charge-payment", Effect: "certain"}}
	s.Saga.Attention = []client.Attention{{Reason: "late_effect", Step: "charge-payment", Since: after(300_000)}}
	s.Saga.Quarantined = []client.QuarantinedRecord{{ID: 12, Reason: "unreadable", At: after(310_000)}}
	s.can(Choice{Action: client.ActionAcknowledge})
	return s
}

func hostile() *scene {
	s := running()
	s.Saga.Key = "</title><script>alert(1)</script>\u202egnp.exe"
	s.Saga.Labels = map[string]string{`"><img src=x onerror=alert(1)>`: "javascript:alert(1)"}
	s.Saga.Input = json.RawMessage(`{"</script><script>alert(1)</script>":"<img src=x onerror=alert(1)>","rtl":"abc\u202edef","tpl":"{{constructor.constructor('alert(1)')()}}","nul":"a\u0000b","deep":[[[[{"a":1e400}]]]]}`)
	s.step("reserve-items").Error = &client.StepError{Code: "<b>x</b>", Message: "\"><svg onload=alert(1)>"}
	return s
}

func longChain() *scene {
	var steps []planned
	for i := range 13 {
		steps = append(steps, planned{fmt.Sprintf("step-%02d-with-a-rather-long-name", i+1), "worker", "DoIt.v1", "UndoIt.v1", "compensatable"})
	}
	s := newScene("long-chain", steps, chainOf(steps))
	for i := range 7 {
		s.did(10+100*i, steps[i].name, 80)
	}
	s.asked(720, steps[7].name, 1)
	s.answered(780, steps[7].name, "rejected", "no", "no")
	s.aborts(780, client.Abort{Reason: "step_rejected", Step: steps[7].name, Code: "no"})
	s.undoes(781, steps[6].name, 1)
	s.undone(800, steps[6].name)
	s.undoes(801, steps[5].name, 1)
	s.waits(client.BlockedOn{Cause: "reply", Step: steps[5].name, Verb: "compensate", Command: "UndoIt.v1", Attempt: 1, Since: after(801), Until: at(65_000)})
	s.Possible = []Choice{{Action: client.ActionPause}}
	return s
}
