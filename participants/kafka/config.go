package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
)

const (
	// FetchWaitDefault is how long the broker holds a fetch that finds nothing. A record that comes meanwhile is
	// sent at once, so the wait costs no latency (BenchmarkTransport_RoundTrip: 0.6 ms from 1 to 100 ms of it with the
	// embedded broker, 2.2 to 2.7 ms with Apache Kafka); what it costs when it is short is fetches of nothing.
	FetchWaitDefault = 100 * time.Millisecond
	// MaxAheadDefault is how many records of a partition are taken beyond the oldest one that is not finished.
	MaxAheadDefault = 8192

	// maxDecompressed bounds what a compressed batch may unpack to, in bytes.
	maxDecompressed = 16 << 20
	maxMessageBytes = 1 << 20

	// gatherFor is how long a reply waits for others while more than few commands are in hand. Under load a request to the
	// broker for each reply costs more, on all sides, than handling the command.
	gatherFor = time.Millisecond
	few       = 2
)

// The limit is a variable of sarama's, which every consumer of the process reads without a lock: it is set before any
// can run, and left alone where somebody else has set it.
func init() { //nolint:gochecknoinits // see above
	if sarama.MaxDecompressedBatchSize == 0 {
		sarama.MaxDecompressedBatchSize = maxDecompressed
	}
}

// Config is what New takes. Brokers are required.
type Config struct {
	Brokers    []string             // host:port
	ClientID   string               // "": skald-participant
	InstanceID string               // static membership (group.instance.id); "": dynamic
	TLS        *tls.Config          // nil: plain text
	Configure  func(*sarama.Config) // changes each client's configuration last, such as for SASL; nil: nothing
	FetchWait  time.Duration        // 0: FetchWaitDefault
	MaxAhead   int                  // 0: MaxAheadDefault
	Logger     *slog.Logger         // nil: discards
}

func (c *Config) setDefaults() {
	if c.ClientID == "" {
		c.ClientID = "skald-participant"
	}
	if c.FetchWait <= 0 {
		c.FetchWait = FetchWaitDefault
	}
	if c.MaxAhead <= 0 {
		c.MaxAhead = MaxAheadDefault
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// client is what all connections share.
func (c *Config) client() *sarama.Config {
	s := sarama.NewConfig()
	s.Version = sarama.V3_6_0_0
	s.ClientID = c.ClientID
	s.Net.DialTimeout = 5 * time.Second
	s.Net.ReadTimeout = 10 * time.Second
	s.Net.WriteTimeout = 10 * time.Second
	s.Metadata.AllowAutoTopicCreation = false
	s.Metadata.Full = false
	if c.TLS != nil {
		s.Net.TLS.Enable, s.Net.TLS.Config = true, c.TLS
	}
	return s
}

// producer is the settings of one that gathers replies for a while before it sends them together; 0: that sends at once.
func (c *Config) producer(gather time.Duration) (*sarama.Config, error) {
	s := c.client()
	s.Producer.Flush.Frequency = gather
	s.Net.MaxOpenRequests = 1 // more would let a retry overtake
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Idempotent = true
	s.Producer.Timeout = 10 * time.Second
	s.Producer.MaxMessageBytes = maxMessageBytes
	s.Producer.Partitioner = sarama.NewMurmur2Partitioner
	s.Producer.Return.Successes, s.Producer.Return.Errors = true, true
	s.Producer.Retry.Max = 10 // the default gives up in less than a leader's election
	s.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration {
		return min(100*time.Millisecond<<min(retries, 8), 2*time.Second)
	}
	return s, c.finish(s)
}

func (c *Config) consumer() (*sarama.Config, error) {
	s := c.client()
	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Group.ResetInvalidOffsets = true
	s.Consumer.Group.InstanceId = c.InstanceID
	s.Consumer.Group.Session.Timeout = 6 * time.Second
	s.Consumer.Group.Heartbeat.Interval = 1500 * time.Millisecond
	s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	s.Consumer.MaxProcessingTime = 5 * time.Second
	s.Consumer.MaxWaitTime = c.FetchWait
	s.Consumer.Fetch.Min = 1
	s.Consumer.Return.Errors = true
	return s, c.finish(s)
}

func (c *Config) finish(s *sarama.Config) error {
	if c.Configure != nil {
		c.Configure(s)
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("configure kafka client: %w", err)
	}
	return nil
}

func (c *Config) validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("configure kafka client: no brokers")
	}
	return nil
}
