// Command testserver handles the Postgres that tests share: "dsn" starts it if need be and prints its connection string,
// "stop" stops it and removes its data.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: testserver dsn|stop")
	}
	switch args[0] {
	case "dsn":
		server, err := embedded.OpenShared(ctx)
		if err != nil {
			return err
		}
		dsn, err := server.DSN("postgres")
		fmt.Println(dsn)
		return err
	case "stop":
		return embedded.StopShared(ctx)
	}
	return fmt.Errorf("unknown command %q: want dsn or stop", args[0])
}
