//go:build crashpoints

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
)

// crashHooks are real in this build.
type crashHooks = *crashPoint

// crashPoint kills this process at a point that the environment names:
//
//	SKALD_TEST_CRASH=point[:n[:phase]]   at the n-th time that it is there with a saga in the phase
//	SKALD_TEST_CRASH=@FILE               the same, as FILE says once it is there; counting begins then
//	SKALD_TEST_QUICK=true                what is left behind is found within a second or two, not within ten or twenty
type crashPoint struct {
	tap *crashpoint.Tap

	mu    sync.Mutex // guards what follows
	at    *crashpoint.At
	file  string // where at comes from; empty: it is given
	seen  int
	quick bool

	definitions orchestrator.Definitions
}

func newCrash() (crashHooks, error) {
	c := &crashPoint{quick: os.Getenv("SKALD_TEST_QUICK") == "true"}
	c.tap = crashpoint.New(crashpoint.Config{Hit: c.hit, Die: c.die, Definition: c.definition, Wire: true})
	text := os.Getenv("SKALD_TEST_CRASH")
	if file, ok := strings.CutPrefix(text, "@"); ok {
		c.file = file
		return c, nil
	}
	if text != "" {
		at, err := crashpoint.Parse(text)
		if err != nil {
			return nil, err
		}
		c.at = &at
	}
	return c, nil
}

func (c *crashPoint) hit(p crashpoint.Point, phases []crashpoint.Phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil && c.file != "" {
		if text, err := os.ReadFile(c.file); err == nil {
			at, err := crashpoint.Parse(string(text))
			if err != nil {
				panic(err)
			}
			c.at = &at
		}
	}
	if c.at == nil || !c.at.Is(p, phases) {
		return false
	}
	c.seen++
	return c.seen == max(c.at.N, 1)
}

// die is kill -9.
func (c *crashPoint) die(p crashpoint.Point) {
	fmt.Fprintf(os.Stderr, "crash point %s\n", p)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

func (c *crashPoint) definition(tenant, name string, version int) (*saga.Definition, error) {
	row, err := c.definitions.Definition(context.Background(), tenant, name, version)
	if err != nil {
		return nil, err
	}
	return definition.Read(name, row.Content)
}

// pool has the engine's connections watched.
func (c *crashPoint) pool() func(*pgxpool.Config) {
	return func(cfg *pgxpool.Config) {
		dial := cfg.ConnConfig.DialFunc
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			inner, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return c.tap.Conn(inner), nil
		}
	}
}

// engine puts the tap between the engine and its ports.
func (c *crashPoint) engine(cfg *orchestrator.Config) {
	c.definitions = cfg.Definitions
	cfg.Store, cfg.Broker = c.tap.Store(cfg.Store), c.tap.Broker(cfg.Broker)
	if c.quick {
		cfg.WakeGrid, cfg.RetryIn, cfg.TakeAgain, cfg.SweepEvery = time.Second, time.Second, 2*time.Second, 200*time.Millisecond
	}
}

// leaving is before the consumer group is left.
func (c *crashPoint) leaving() { c.tap.At(crashpoint.Draining) }

// migrate stops between migrations.
func (c *crashPoint) migrate(ctx context.Context, dsn string) (applied []int64, err error) {
	for {
		version, err := migrations.UpOne(ctx, dsn)
		if err != nil || version == 0 {
			return applied, err
		}
		applied = append(applied, version)
		c.tap.At(crashpoint.Migrating)
	}
}
