// Package participants is the SDK for services that take part in sagas: it reads commands, runs handlers behind the
// barrier, and answers.
//
//	p := participants.New("inventory", inbox.New(pool, "inventory"), participants.Config{})
//	p.Handle("ReserveItems.v1", inbox.Handler(reserve), nil)
//	p.Handle("ReleaseItems.v1", nil, inbox.Handler(release))
//	err := p.Run(ctx, transport)
//
// What a command goes through, in this order:
//
//	Run        takes deliveries from the Transport, one at a time per saga, many sagas at once   run.go, dispatch.go
//	Answer     turns a command into a reply: middleware, then the verb                            answer.go
//	execute    each verb's walk through the barrier, in the barrier's own transaction             execute.go, compensate.go, probe.go
//	Rule...    what a row of the barrier means for a command; pure functions                      rules.go
//	handler    the team's code
//
// The barrier makes every order and number of deliveries harmless: a command takes effect at most once, an execute
// that comes after its compensation has none, and a duplicate is answered like the first [S13]. It is only as durable
// as its store: package inbox keeps it in the team's own Postgres, in the transaction of the effect; Memory keeps it
// in memory, for tests and simulations.
//
// The package never imports the engine.
package participants
