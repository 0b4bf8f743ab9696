package stack

import (
	"encoding/json"
	"fmt"
)

// Order is the input of the sample sagas that place an order.
type Order struct {
	ID     string
	Token  string // "": tok_ok
	SKU    string // "": sku-1
	ShipTo string // "": Main St 1
	Free   bool   // costs nothing
}

// Input is it as JSON.
func (o Order) Input() json.RawMessage {
	or := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	cents := 4200
	if o.Free {
		cents = 0
	}
	raw, err := json.Marshal(map[string]any{
		"order_id": o.ID, "customer_id": "customer-1", "amount_cents": cents, "payment_token": or(o.Token, "tok_ok"),
		"ship_to": or(o.ShipTo, "Main St 1"), "items": []map[string]any{{"sku": or(o.SKU, "sku-1"), "quantity": 1}},
	})
	if err != nil {
		panic(fmt.Sprintf("stack: write an order: %v", err)) // strings and numbers always can be
	}
	return raw
}
