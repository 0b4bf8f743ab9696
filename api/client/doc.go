// Package client is the typed Go client of Skald's REST API. It owns the types of requests and answers, which the server uses too,
// and imports nothing else of the project.
//
// Every method takes a context that bounds the call; cancelling it does not undo what the server has accepted. Errors that
// the server answers are *Error. A Client is safe for concurrent use.
//
// A start or an action whose answer was lost may be sent again under the same Idempotency-Key (WithIdempotencyKey): the
// server then answers as it did the first time.
package client
