//go:build race

package stack

// Raced says that the tests run under the race detector; the binary is then built with it too.
const Raced = true
