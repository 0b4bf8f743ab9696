//go:build race

package sim_test

// raced: the race detector makes a world ten times as slow, and finds nothing in one more of them.
const raced = true
