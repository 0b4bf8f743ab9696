//go:build !race

package stack

// raced says that the tests run under the race detector.
const raced = false
