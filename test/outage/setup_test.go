package outage

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/apachekafka"
	"github.com/skaldhq/skald/test/stack"
)

// partitions is how many each topic has.
const partitions = 6

// broker is an Apache Kafka that the test may stop and start again, with the same data on the same port.
type broker struct {
	t      testing.TB
	config apachekafka.Config
	server *apachekafka.Server // nil: it is stopped
}

// newBroker finds a place for a broker; start starts it.
func newBroker(t testing.TB, settings map[string]string) *broker {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Kafka")
	}
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	b := &broker{t: t, config: apachekafka.Config{Dir: t.TempDir(), Port: freePort(t), Settings: settings}}
	t.Cleanup(b.stop)
	return b
}

func (b *broker) addr() string { return fmt.Sprintf("127.0.0.1:%d", b.config.Port) }

func (b *broker) start() *broker {
	b.t.Helper()
	server, err := apachekafka.Start(context.Background(), b.config)
	require.NoError(b.t, err)
	b.server = server
	return b
}

// stop shuts the broker down in order. It is gone when stop returns.
func (b *broker) stop() {
	if b.server == nil {
		return
	}
	if err := b.server.Stop(); err != nil {
		b.t.Errorf("stop Kafka: %v", err)
	}
	b.server = nil
}

// connect opens a client of the test's own.
func (b *broker) connect() sarama.Client {
	b.t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Producer.Return.Successes = true
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.MaxMessageBytes = 64 << 20
	cfg.Producer.Retry.Max = 0
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	c, err := sarama.NewClient([]string{b.addr()}, cfg)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = c.Close() }) // the broker may be gone
	return c
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := apachekafka.FreePort()
	require.NoError(t, err)
	return port
}

// site is a migrated database and a broker, with what runs on them.
type site struct {
	t    testing.TB
	env  []string
	pool *pgxpool.Pool
}

func newSite(t testing.TB, brokers string) *site {
	t.Helper()
	dsn := embeddedtest.Database(t)
	pool, err := pgxpool.New(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := &site{t: t, pool: pool, env: []string{
		"SKALD_DATABASE_URL=" + dsn, "SKALD_KAFKA_BROKERS=" + brokers, fmt.Sprintf("SKALD_TOPICS_PARTITIONS=%d", partitions),
		"SKALD_LOG_FORMAT=json", "SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR=", "SKALD_DRAIN_LIMIT=10s",
	}}
	migrate := stack.Start(t, s.env, "migrate", "up")
	require.NoError(t, migrate.Wait(time.Minute))
	require.Zero(t, migrate.ExitCode(), "%s", migrate.Err)
	t.Cleanup(func() { // after the end of what runs on it
		if !t.Failed() {
			stack.Audit(t, s.env)
		}
	})
	return s
}

// run starts skald on the site.
func (s *site) run(settings []string, args ...string) *stack.Process {
	s.t.Helper()
	return stack.Start(s.t, append(s.env[:len(s.env):len(s.env)], settings...), args...)
}

// serve starts a replica, with settings of its own.
func (s *site) serve(settings ...string) *stack.Replica {
	s.t.Helper()
	return &stack.Replica{Process: s.run(settings, "serve")}
}

// participants starts all four.
func (s *site) participants() {
	s.t.Helper()
	for _, name := range []string{"orders", "payments", "inventory", "shipping"} {
		s.run(nil, "participant", name)
	}
}

func placement() []byte {
	src, err := fs.ReadFile(configs.Definitions(), configs.DefinitionPlacement)
	if err != nil {
		panic(err) // it is embedded
	}
	return src
}

// register registers the sample saga, order-placement version 1.
func register(t testing.TB, c *client.Client) {
	t.Helper()
	put(t, c, placement())
}

func put(t testing.TB, c *client.Client, src []byte) {
	t.Helper()
	_, _, err := c.PutDefinition(t.Context(), "order-placement", 1, src, true)
	require.NoError(t, err)
}

// registerPatient is register, with a timeout under the race detector that is as much longer as everything takes there: reading begins
// anew behind a bomb, and answers come later than the plain build's attempts last.
func registerPatient(t testing.TB, c *client.Client) {
	t.Helper()
	src := placement()
	if stack.Raced {
		patient := bytes.Replace(src, []byte("timeout: 5s"), []byte("timeout: 20s"), 1)
		require.NotEqual(t, src, patient)
		src = patient
	}
	put(t, c, src)
}

// waiting is a saga of one step whose participant nobody runs: its command stays unanswered.
const waiting = `
saga: waiting
version: 1
steps:
  - {name: wait, participant: nobody, command: Wait.v1, effect: none, timeout: 1h, returns: {type: object}}
`

func registerWaiting(t testing.TB, c *client.Client) {
	t.Helper()
	_, _, err := c.PutDefinition(t.Context(), "waiting", 1, []byte(waiting), true)
	require.NoError(t, err)
}

func startWaiting(ctx context.Context, c *client.Client) (string, error) {
	started, err := c.Start(ctx, client.StartRequest{Saga: "waiting", Input: []byte(`{}`)})
	return started.ID, err
}

// published is nil once the first command of a saga has its receipt.
func published(ctx context.Context, c *client.Client, id string) error {
	for fact, err := range c.AllHistory(ctx, id) {
		switch {
		case err != nil:
			return err
		case fact.Type == "step.started" && fact.Record != nil:
			return nil
		}
	}
	return fmt.Errorf("saga %s: no command is published yet", id)
}
