//go:build race

package allocs

// racing: the race detector is on.
const racing = true
