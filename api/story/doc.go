// Package story tells what happens to a saga: in words (why it waits, what a fact says) and in spans of time (what went on when).
// It is pure, and reads what the REST API answers, so that the command line and the dashboard say the same thing.
package story
