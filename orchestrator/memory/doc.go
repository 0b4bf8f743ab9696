// Package memory is a store that forgets when the process ends. It passes the same suite as the one on Postgres (storetest),
// keeps instances and facts as the same bytes, and models what the engine leans on: row locks with SKIP LOCKED, keys held by
// open transactions, revisions and CHECKs.
//
// It starts no goroutine and reads no clock but the one it is given, so a simulation may interleave any number of open
// transactions and gets the same answers from the same calls. Every call takes effect at one instant: nothing ever waits.
package memory
