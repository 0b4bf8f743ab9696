package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain can also be the parent that TestStartPostgres_ParentKilled kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EMBEDDED_TEST_PARENT"); dir != "" {
		p, err := StartPostgres(context.Background(), PostgresConfig{DataDir: dir, Log: slog.Default()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(p.process.Pid)
		<-p.Done()
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		// Sarama's meters share one goroutine that never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}
