//go:build !race

package stack

// Raced says that the tests run under the race detector.
const Raced = false
