// Package wire is Skald's protocol over Kafka: commands, replies, command ids, reply tokens, topic names and the
// partitioner. It imports the standard library only, so that a participant can take it without anything else.
//
// The format is CloudEvents 1.0 in binary mode: a record's value is the business payload alone (JSON), everything else
// is in headers. The record's key is the saga id as UUID text.
//
// Decoding is strict about what the other side relies on and silent about headers it does not know, so that a newer
// peer may add some. All problems of a record are reported at once, in a *DecodeError.
//
// Versions of the format, newest last; each change adds a line:
//
//	2026-10  v1  commands and replies as in the headers below; ce_specversion 1.0
package wire
