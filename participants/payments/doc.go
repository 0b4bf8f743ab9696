// Package payments is the reference participant that charges and refunds. What ChargePayment.v1 does is chosen by its
// token: tok_declined is rejected; tok_flaky fails at the first attempt; tok_slow waits SlowDelay before its
// transaction; tok_lost charges and is never answered; every other token is charged. RefundPayment.v1 undoes it.
package payments
