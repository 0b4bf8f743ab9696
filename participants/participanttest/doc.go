// Package participanttest tests participants without a broker: Saga sends a participant the commands of one saga and
// returns its replies, and RunBarrierSuite is what every barrier must pass.
package participanttest
