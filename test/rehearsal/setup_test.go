package rehearsal

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bus keeps what was published, and carries the replies that a test makes up.
type bus struct {
	replies chan orchestrator.Delivery
	marked  sync.WaitGroup // replies that are not dealt with yet

	mu   sync.Mutex // guards sent
	sent map[saga.ID]map[attempt]orchestrator.Record
}

// attempt names one sending of a command.
type attempt struct {
	step             string
	verb             saga.Verb
	edition, attempt int
}

func (b *bus) Publish(_ context.Context, records []orchestrator.Record) []orchestrator.Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]orchestrator.Published, len(records))
	for i, r := range records {
		out[i] = orchestrator.Published{Outcome: orchestrator.PublishAcked, At: time.Now()}
		if r.Kind != orchestrator.RecordCommand {
			continue
		}
		if b.sent[r.Saga] == nil {
			b.sent[r.Saga] = map[attempt]orchestrator.Record{}
		}
		b.sent[r.Saga][attempt{r.Step, r.Verb, r.Edition, r.Attempt}] = r
	}
	return out
}

// commands are all that were sent for a saga.
func (b *bus) commands(id saga.ID) map[attempt]orchestrator.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[attempt]orchestrator.Record{}
	for k, r := range b.sent[id] {
		out[k] = r
	}
	return out
}

func (b *bus) Fetch(ctx context.Context) ([]orchestrator.Delivery, error) {
	select {
	case d := <-b.replies:
		return []orchestrator.Delivery{d}, nil
	case <-ctx.Done():
		return nil, nil
	}
}

func (b *bus) Mark(deliveries []orchestrator.Delivery) { b.marked.Add(-len(deliveries)) }

// replica is an engine with its API and its own pools on a database.
type replica struct {
	*client.Client
	engine *orchestrator.Engine
	store  *postgres.Store
	bus    *bus
}

func newReplica(t *testing.T, dsn string, keys *wire.Keyring) *replica {
	t.Helper()
	ctx := context.Background()
	cfg := postgres.Config{}
	for role, pool := range map[postgres.Role]**pgxpool.Pool{postgres.RoleEngine: &cfg.Engine, postgres.RoleAPI: &cfg.API} {
		var err error
		*pool, err = postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: role})
		require.NoError(t, err)
		t.Cleanup((*pool).Close)
	}
	r := &replica{store: postgres.New(cfg), bus: &bus{replies: make(chan orchestrator.Delivery, 64), sent: map[saga.ID]map[attempt]orchestrator.Record{}}}
	hub, log := api.NewHub(), slog.New(slog.DiscardHandler)
	var err error
	r.engine, err = orchestrator.New(orchestrator.Config{
		Store: r.store, Reader: r.store, Definitions: r.store, Holds: r.store, Operations: r.store, Broker: r.bus,
		Encoder: kafka.NewCodec(wire.Topics{}, "test", keys), Logger: log, Observer: hub,
	})
	require.NoError(t, err)
	a, err := api.New(api.Config{Engine: r.engine, Hub: hub, Logger: log})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = r.engine.Run(ctx) })
	running.Go(func() { _ = a.Serve(ctx, listener) })
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(func() { transport.CloseIdleConnections(); cancel(); running.Wait() })
	r.Client, err = client.New("http://"+listener.Addr().String(), client.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return r.Ready(ctx) == nil }, 20*time.Second, 10*time.Millisecond)
	return r
}

// twoReplicas are on one database.
func twoReplicas(t *testing.T) (a, b *replica) {
	t.Helper()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(context.Background(), dsn)
	require.NoError(t, err)
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	return newReplica(t, dsn, keys), newReplica(t, dsn, keys)
}
