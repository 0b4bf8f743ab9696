// Package explore walks through every state of small worlds: one saga under the real saga.Decide, participants of the real SDK
// with the real barrier, the messages between them, and a few faults. It is breadth first and ends when the frontier is empty,
// so that what holds in every state it saw holds for these worlds without exception.
//
// A state is the instance, the messages in flight as a multiset (so every order of delivery is tried), the rows of the barrier,
// the ledger of what truly happened, the holds, and what is left of the faults' budgets. From each state every move is tried:
// each message delivered, with each answer that a participant may give; deaths between effect and answer, between commit and
// publish; duplicates; each timer; each action of an operator; holds. What Decide answers is kept per instance and event, and
// what the SDK answers per barrier and command: both are functions, so each is asked once.
//
// # What a state leaves out
//
// Times. Each timer may fire alone at any moment, or all at once: more orders than clocks allow, never fewer. An event is judged
// one second after the state's only point in time, with those timers due that the move chose.
//
// Counters that rules only compare: the number of an attempt (the newest, or an older one), sends beyond max_attempts, attempts
// of which the broker refused some, the revision and the numbers of facts, ignored replies (the limit of 100 is never reached).
//
// Texts and places: messages for people, who did it, the reason of an abort, coordinates, batches, codes that no rule reads,
// and the heartbeat of an attempt, which moves a timer and nothing else.
//
// The rest of an instance is written down and read back before it meets Decide again, so what a state leaves out cannot matter
// unseen; a test knows every field and where it goes.
package explore
