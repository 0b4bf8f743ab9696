// Package audit checks what a store holds against what was promised: that every history is dense and folds to the stored state
// (S3, S4), that nothing is silently stuck (L2), that certificates say what the facts say, that every committed command is in the
// outbox or has its receipt (S6), that keys and answers lead to sagas, and that nobody changed the record of operator actions.
//
// It reads a database that is in use: slices of some hundred sagas, each as one moment saw it, without a lock. The stores bring
// the rows as bytes (Source); everything that is judged is judged here, without I/O, so that both stores are judged alike.
package audit
