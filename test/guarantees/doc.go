// Package guarantees measures promises of docs/guarantees.md on real processes: how soon a dead replica's sagas move again, what a
// drain and an overload cost, whether a cancel is one thing or the other, and whether a saga keeps its version.
package guarantees
