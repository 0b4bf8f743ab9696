package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BrokerConfig says how the in-process broker listens and what it keeps.
type BrokerConfig struct {
	// DataDir gets the folder kafka, which keeps topics, records and group offsets over a restart. Empty: in memory.
	DataDir string
	// Addr is host:port to listen on; the host is what clients are told to connect to. Empty: 127.0.0.1 and any free port.
	Addr string
}

// Broker speaks Kafka's protocol from inside this process. It is one node, without replication, and flushes to disk only
// when it stops: a crash of the machine may lose the last records. Its methods are safe for concurrent use.
type Broker struct {
	cluster  *kfake.Cluster
	lock     *os.File // nil: in memory
	stopOnce sync.Once
	stopErr  error
}

// StartBroker starts a broker without topics of its own; topics are made through Kafka's admin API, never by mentioning
// them. A data folder that another process uses is waited for, at most 15 s or as long as ctx allows; ctx has no effect
// after the start.
func StartBroker(ctx context.Context, cfg BrokerConfig) (*Broker, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("skald-embedded"),
		kfake.DefaultNumPartitions(12),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, cfg.Addr) }),
	}
	b := &Broker{}
	if cfg.DataDir != "" {
		dir := filepath.Join(cfg.DataDir, "kafka")
		if err := makeOpenDir(cfg.DataDir); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		lockCtx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		var err error
		if b.lock, err = lockFile(lockCtx, filepath.Join(cfg.DataDir, "kafka.lock")); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(dir))
	}
	var err error
	if b.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded broker on %s: %w", cfg.Addr, err), b.unlock())
	}
	return b, nil
}

// Addrs are the bootstrap addresses, as host:port.
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Stop closes all connections and saves the state. A second call returns what the first returned.
func (b *Broker) Stop() error {
	b.stopOnce.Do(func() {
		b.cluster.Close()
		b.stopErr = b.unlock()
	})
	return b.stopErr
}

func (b *Broker) unlock() error {
	if b.lock == nil {
		return nil
	}
	return b.lock.Close()
}
