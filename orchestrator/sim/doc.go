// Package sim runs the engine in a world of its own: the production workers as coroutines over a store, a broker and a clock that
// the world owns, with participants whose ledger of effects is the oracle. One seed is one run, to the last byte; a failing
// seed is run again with its number.
//
// Every port call is a point where the world may delay the worker, fail the call, lose its answer, or kill the replica. In the
// first phase faults are on and invariants are checked after every commit; in the second they are off, and within 30 virtual
// minutes every saga ends, or is suspended with attention, and every effect agrees with its certificate.
package sim
