//go:build race

package stack

// raced says that the tests run under the race detector; the binary is then built with it too.
const raced = true
