// Package sim runs the engine in a world of its own: the production workers as coroutines over a store, a broker and clocks that
// the world owns, with participants whose ledger of effects is the oracle. One seed is one run, to the last byte.
//
// # What drives it
//
// The agenda is one heap of what comes next, by virtual time, with a drawn number to break ties. Every port call of a worker is a
// point where the world may delay it, fail the call, lose its answer, or kill the replica (schedule.go). Each subsystem draws from
// a stream of its own, and nothing reads a clock, a map's order or another goroutine, so that the trace of a seed is always the same
// (trace.go); the runner runs seeds twice to be sure.
//
// # What goes wrong
//
// A seed has a random subset of the kinds of faults, spread evenly or in gusts (nemesis.go). Whether a fault happens at the n-th
// opportunity of its kind follows from the seed, the kind's name and n alone, so that a list of hits replays exactly those, and
// leaving one out moves no other. The store and its transactions fail call by call (store.go, transaction.go); outages last
// (outage.go): a database that restarts, fails over or has its clock set (database.go), replicas that are killed, frozen, drained
// or cut off, and whose own clocks are wrong (replica.go, drain.go, clock.go). The broker is in kafka*.go, participants in
// actors*.go, clients and operators in people*.go.
//
// # What is promised
//
// In the first phase faults are on, and the oracle checks after every commit what can be seen there. In the second they are off,
// whoever is dead comes back, and within 30 virtual minutes every saga ends, or is suspended with attention that a cause explains,
// and every effect agrees with its certificate (oracle*.go). What is broken is a Violation, by the name of its guarantee.
//
// # When a seed fails
//
// A Campaign ends at the first seed that fails. Shrink leaves out what the failure does not need, and what is left is kept in
// testdata/regress as a list of decisions, which TestRegress runs from then on. `make sim` does all that; TestSeed runs one seed
// loudly.
package sim
