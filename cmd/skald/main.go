// Command skald is the whole service in one binary: the engine and its API, dev mode, the reference participants, and the
// commands of those who operate it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A second signal kills: the drain that the first began is bounded, but whoever asks twice means it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// streams are what a command reads and writes: answers on out, and on err what is about them.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}
