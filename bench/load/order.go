package load

import (
	"encoding/json"
	"fmt"
)

// Order is the input of the sample sagas that place an order (order-placement, order-parallel, order-deposit): number n of
// a run. Its id is its business key, so run must be new for each run. declined has the payment refused, which undoes what was
// done before.
func Order(run string, n int64, declined bool) json.RawMessage {
	token := "tok_ok"
	if declined {
		token = "tok_declined"
	}
	return json.RawMessage(fmt.Sprintf(`{"order_id":"%s-%d","customer_id":"customer-1","amount_cents":4200,"deposit_cents":1000,"payment_token":"%s",`+
		`"ship_to":"Reykjavik","items":[{"sku":"sku-1","quantity":2}]}`, run, n, token))
}

// Every reports whether number n is one of a share of all, spread evenly: Every(n, 0.1) is so for each tenth.
func Every(n int64, share float64) bool {
	return int64(float64(n+1)*share) > int64(float64(n)*share)
}
