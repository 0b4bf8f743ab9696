// Package kafka connects the conformance kit to a participant through a real broker. It makes topics for the replies, and deletes them; it
// commits no offsets and joins no group.
package kafka
