// Package conformance plays against a running participant what docs/protocol.md says that it must stand, and tells what it saw: duplicates,
// reordering, compensations before and after their execution, editions, probes, late, unknown and malformed commands, and a crash between
// commit and reply. The participant may be written in any language: all that the kit knows of it comes over a Link.
//
// How data flows: a Plan says which commands the participant takes; each check makes sagas of its own, sends their commands through the Link,
// and judges the replies by what the page says; the headers of every reply of the run are judged too. Out comes a Report, one Finding a
// check. Package conformance/kafka is the Link to a real broker; `skald conformance` is both on a command line.
//
// The kit sees replies and nothing else. That an effect was taken once is known as far as the answers show it.
package conformance
