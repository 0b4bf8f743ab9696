package definition

import (
	"encoding/json"
	"testing"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func BenchmarkEval(b *testing.B) {
	d := orderPlacement(b)
	scope := saga.Scope{
		Input: json.RawMessage(`{"order_id":"A-1001","customer_id":"C-7","amount_cents":4200,"payment_token":"tok_ok","ship_to":"Main St 1",` +
			`"items":[{"sku":"sku-1","quantity":2},{"sku":"sku-2","quantity":1}]}`),
		StepOutput: func(string) json.RawMessage { return json.RawMessage(`{"shipment_id":"S-9"}`) },
	}
	for name, e := range map[string]saga.Expr{"plain": d.Steps[1].Payload, "cel": d.Steps[1].When, "key": d.Key, "output": d.Output} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Eval(scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Input.Validate(scope.Input); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		src := readFile(b, "testdata/order-placement.yaml")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Read("x", src); err != nil {
				b.Fatal(err)
			}
		}
	})
}
