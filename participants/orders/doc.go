// Package orders is the reference participant that keeps orders. CreateOrder.v1 creates one, CancelOrder.v1 undoes
// that, ConfirmOrder.v1 makes it final. An order id is taken once per tenant, and again after it was cancelled.
package orders
