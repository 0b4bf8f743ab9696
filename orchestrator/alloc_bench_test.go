//go:build !race

package orchestrator_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/allocs"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// hotCases are batches of the committer on the store in memory: 64 starts of a saga of two steps, and 64 such sagas from the request to
// their end, in three batches.
func hotCases(tb testing.TB) []allocs.Case {
	const sagas = 64
	m := &machine{now: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(1, 2))}
	// A store of its own for each run: the maps of one that grew would be counted.
	assemble := func() (*orchestrator.Engine, *fakeBroker, map[string]func(context.Context)) {
		store := memory.New(memory.Config{Now: m.Now})
		broker := &fakeBroker{now: m.Now}
		keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
		require.NoError(tb, err)
		engine := orchestrator.Assemble(orchestrator.Config{
			Store: store, Reader: store, Definitions: store, Holds: store, Broker: broker, Encoder: kafka.NewCodec(wire.Topics{}, "test", keys), Logger: slog.New(slog.DiscardHandler),
		}, orchestrator.Ports{Clock: m, Random: m, Signal: m.signal})
		workers := map[string]func(context.Context){}
		for _, w := range engine.Workers() {
			workers[w.Name] = w.Run
		}
		_, _, err = engine.PutDefinition(context.Background(), tenant, []byte(errandDefinition), true, "tester", "r-0")
		require.NoError(tb, err)
		return engine, broker, workers
	}
	start := func(engine *orchestrator.Engine) []saga.ID {
		ids := make([]saga.ID, 0, sagas)
		for range sagas {
			err := engine.OfferStart(context.Background(), errand(), func(s orchestrator.Started, err error) {
				if err != nil {
					tb.Fatal(err)
				}
				ids = append(ids, s.ID)
			})
			if err != nil {
				tb.Fatal(err)
			}
		}
		if engine.Turn(context.Background()) != sagas || len(ids) != sagas {
			tb.Fatal("the starts are not one batch")
		}
		return ids
	}
	run := func(steps ...string) {
		engine, broker, workers := assemble()
		ids := start(engine)
		done, cancel := context.WithCancel(context.Background())
		cancel() // a worker ends once it has nothing to do
		for _, step := range steps {
			workers["relay"](done)
			for _, id := range ids {
				broker.send(reply(id, step, saga.ReplySucceeded))
			}
			receiving, received := context.WithCancel(context.Background())
			broker.whenEmpty = received
			workers["receiver"](receiving)
			if engine.Turn(context.Background()) != sagas {
				tb.Fatal("the replies are not one batch")
			}
		}
	}
	return []allocs.Case{
		{Name: "Commit/assemble", Measured: 2120, Limit: 2300, Run: func() { assemble() }},
		{Name: "Commit/start 64", Measured: 9154, Limit: 9700, Run: func() { run() }},
		{Name: "Commit/whole 64", Measured: 18259, Limit: 19500, Run: func() { run("run", "report") }},
	}
}

func TestAllocs(t *testing.T) { allocs.Check(t, hotCases(t)) }

func BenchmarkHot(b *testing.B) { allocs.Benchmark(b, hotCases(b)) }
