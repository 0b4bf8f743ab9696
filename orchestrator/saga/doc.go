// Package saga is the pure domain of Skald: what a definition is, what a running saga is, and what each event means for it.
//
// Everything that can happen to a saga is an Event, and Decide says what it means: the next Instance, the facts for the
// history, the commands to send, and when to look again. Decide reads no clock, draws no randomness and does no I/O; time,
// jitter, holds and what is known of the outbox arrive inside the event. The same inputs give the same Decision.
//
// State changes only through facts: Decide emits a Fact, apply folds it into the instance, and the history stores it, so
// folding a history gives the stored state (S4).
//
// The rules that are quoted as "design rule N" are those of docs/rules.md.
package saga
