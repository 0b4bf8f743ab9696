package why

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/test/apachekafka"
	"github.com/skaldhq/skald/test/stack"
)

// brokerDown: Kafka is away. One order is cancelled meanwhile, and undone once Kafka is back; one that is left alone completes.
func brokerDown() scenario {
	var stop, start func()
	var left string
	return scenario{
		name:  "BrokerDown",
		onset: "the start is answered, while Kafka is away",
		own: func(t *testing.T) *site {
			var addr string
			addr, start, stop = ownKafka(t)
			start()
			return newSite(t, stack.On(t, embeddedtest.Database(t), []string{addr}))
		},
		bring: func(t *testing.T, s *site) (string, time.Time) {
			stop()
			left = s.order(t, stack.Order{ID: "left-alone"})
			return s.order(t, stack.Order{}), time.Now()
		},
		named: func(sg *client.Saga) error { _, err := waitsFor(sg, "create-order", "unpublished"); return err },
		says:  []string{"create-order waits for Kafka to take CreateOrder.v1.", "Kafka: is it up"},
		mend: func(t *testing.T, s *site, id string) {
			s.act(t, "cancel", id)
			start()
			other := s.ended(t, left)
			require.Equal(t, "committed", other.Certificate.Verdict)
			s.agrees(t, &other)
		},
		status: client.Compensated, verdict: "cleanly_aborted",
	}
}

// ownKafka is a broker that the test may stop and start again, with what it had kept: Apache Kafka where it can be had, else the
// embedded one.
func ownKafka(t *testing.T) (addr string, start, stop func()) {
	t.Helper()
	port, err := apachekafka.FreePort()
	require.NoError(t, err)
	addr, dir := fmt.Sprintf("127.0.0.1:%d", port), t.TempDir()
	var end func() error
	stop = func() {
		if end != nil {
			require.NoError(t, end())
			end = nil
		}
	}
	t.Cleanup(func() { stop() })
	var missing []string
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		t.Logf("on the embedded broker: %s is not installed", strings.Join(missing, ", "))
		return addr, func() {
			broker, err := embedded.StartBroker(context.Background(), embedded.BrokerConfig{DataDir: dir, Addr: addr})
			require.NoError(t, err)
			end = broker.Stop
		}, stop
	}
	return addr, func() {
		server, err := apachekafka.Start(context.Background(), apachekafka.Config{Dir: dir, Port: port})
		require.NoError(t, err)
		end = server.Stop
	}, stop
}
