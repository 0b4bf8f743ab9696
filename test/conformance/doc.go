// Package conformance runs `skald conformance` against participants in processes of their own, on real servers. Those in Python are in
// test/polyglot.
package conformance
