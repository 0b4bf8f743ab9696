// Package orchestrator is the engine: it takes what happens to sagas, has it judged by saga.Decide, and stores and sends what follows.
//
// The walk: (1) a request, a reply or a timer (2) becomes a saga.Event and is handed to the intake, which is bounded.
// (3) The committer, one per replica, takes whatever is waiting as one batch. (4) The batch's sagas are loaded under lock and
// saga.Decide is called for each event. (5) One transaction stores instances, history and outbox. (6) After the commit, the
// records go to Kafka, keyed by saga id. (7) A participant handles the command and replies. (8) The reply enters at (2).
//
// The workers (committer, relay, sweeper, keeper, reader) are straight-line code over ports: Store, Broker, Clock, Signal.
// Goroutines and channels are in run.go and in the adapters alone, so the simulation runs the same code as production.
package orchestrator
