// Package tracing holds the test of traces: the real binary and the reference participants, each a process of its own, export to a
// collector that the test is.
package tracing
