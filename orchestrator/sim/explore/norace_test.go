//go:build !race

package explore

// raced says whether the race detector is on.
const raced = false
