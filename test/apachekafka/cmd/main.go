// Command cmd runs a real Apache Kafka until it is interrupted: it prints the bootstrap address once the broker answers.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/skaldhq/skald/test/apachekafka"
)

func main() {
	dir := flag.String("dir", "", "folder for the broker's data (required)")
	port := flag.Int("port", 0, "port on 127.0.0.1; 0: any free one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, apachekafka.Config{Dir: *dir, Port: *port}); err != nil {
		fmt.Fprintln(os.Stderr, "apachekafka:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg apachekafka.Config) error {
	if cfg.Dir == "" {
		return fmt.Errorf("-dir is required")
	}
	server, err := apachekafka.Start(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Println(server.Addr())
	select {
	case <-ctx.Done():
		return server.Stop()
	case <-server.Done():
		return fmt.Errorf("the broker ended by itself; see %s/server.log", cfg.Dir)
	}
}
