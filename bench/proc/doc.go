// Package proc reads what processes cost from Linux's /proc: CPU time, memory, who listens on a port, and what machine this is.
// Elsewhere, and of processes that may not be looked at, its functions return errors; a benchmark then goes without the figure.
package proc
