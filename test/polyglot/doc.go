// Package polyglot tests participants that are not written in Go, beside those that are: the real binary, real servers, and Python.
//
// It needs Python 3.11 or newer with venv; SKALD_TEST_PYTHON names one, and makes its absence a failure.
package polyglot
