package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants/wire"
)

// Config says where Kafka is and how it is used. Brokers and Keys are required, except by Admin, which needs no Keys.
type Config struct {
	Brokers  []string    // host:port
	ClientID string      // for the broker's logs and quotas; "": skald
	Group    string      // consumer group on the reply topic; "": skald
	Topics   wire.Topics // with the prefix
	Cluster  string      // ce_source is /skald/<Cluster>; "": default
	Keys     *wire.Keyring
	// InstanceID makes the membership static (group.instance.id): a restart within the session's 6 s moves no partition,
	// and a replica that leaves keeps its partitions until they are over. "": dynamic.
	InstanceID string
	TLS        *tls.Config // nil: plain text
	SASL       *SASL       // nil: no authentication
	// MaxMessageBytes bounds key, value and headers of a record, and a produce batch; 0: 1,000,000, which fits in the
	// broker's default of 1,048,588. A larger record is refused without being sent.
	MaxMessageBytes int
	// MaxPending bounds the records handed to the producer and not answered; above it Publish answers unknown at once. 0: 50,000.
	MaxPending int
	// StallAfter is how long a producer with records in hand may give no result before it is given up; 0: 30 s.
	StallAfter  time.Duration
	Partitions  int32 // of topics that are made; 0: 12
	Replication int16 // of topics that are made; 0: -1, the broker's default
	// StartTopics are read for starts. nil: skald.starts, behind the prefix; empty: none.
	StartTopics []string
	// AnswerTopics are where starts may be answered; Admin makes them beside the engine's own.
	AnswerTopics []string
	Log          *slog.Logger
	Hooks        Hooks

	fetchWait time.Duration // how long an idle fetch waits at the broker
	revokeFor time.Duration // how long a revoked partition waits for its marks
	maxAhead  int           // records of one partition beyond its lowest unmarked one
	maxBytes  int           // of one partition's unmarked values
}

// Hooks are called as things happen, for metrics; nil ones are not. They must be quick and safe for concurrent use.
type Hooks struct {
	// OffsetReset: the committed offset did not exist any more and reading went back to the oldest record. Replies may have
	// been lost with what was cut off; somebody must look.
	OffsetReset func(topic string, partition int32)
	// Poisoned: a record was read that can never be applied.
	Poisoned func(reason string)
	// ProducerRebuilt: a producer gave no result for StallAfter.
	ProducerRebuilt func()
	// ConsumerFailed: reading stopped with an error and is tried again.
	ConsumerFailed func(err error)
}

// compression is that of what the engine sends. For a single small record, the usual batch while load is low, lz4 costs what
// none costs, and zstd a third more CPU; from 64 records on lz4 is the cheapest of the three, and halves the bytes.
const compression = sarama.CompressionLZ4

// maxDecompressed bounds what a compressed batch may unpack to. Topics that the engine reads are not compressed at the
// broker, so only a misconfigured topic can carry such a batch.
const maxDecompressed = 16 << 20

// The limit is a variable of sarama itself, read without a lock by every client of the process. It is set before any client
// can exist; set by Open, it would race with the clients of others.
func init() { //nolint:gochecknoinits // see above
	if sarama.MaxDecompressedBatchSize == 0 {
		sarama.MaxDecompressedBatchSize = maxDecompressed
	}
}

func (c *Config) setDefaults() {
	setDefault(&c.ClientID, "skald")
	setDefault(&c.Group, "skald")
	setDefault(&c.Cluster, "default")
	setDefault(&c.MaxMessageBytes, 1_000_000)
	setDefault(&c.MaxPending, 50_000)
	setDefault(&c.StallAfter, 30*time.Second)
	setDefault(&c.Partitions, 12)
	setDefault(&c.Replication, -1)
	if c.StartTopics == nil {
		c.StartTopics = []string{c.Topics.Starts()}
	}
	setDefault(&c.fetchWait, fetchWaitDefault)
	setDefault(&c.revokeFor, time.Second)
	setDefault(&c.maxAhead, 8192)
	setDefault(&c.maxBytes, 8<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports all problems at once.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("brokers: want at least one host:port"))
	}
	if c.MaxMessageBytes < 0 || c.MaxPending < 0 || c.StallAfter < 0 || c.Partitions < 0 {
		errs = append(errs, errors.New("max_message_bytes, max_pending, stall_after and partitions: want no number below zero"))
	}
	if topic := c.Topics.Replies(); !wire.ValidTopic(topic) {
		errs = append(errs, fmt.Errorf("topics.prefix: %q is no topic", topic))
	}
	for _, topic := range append(slices.Clone(c.StartTopics), c.AnswerTopics...) {
		if !wire.ValidTopic(topic) {
			errs = append(errs, fmt.Errorf("starts: %q is no topic", topic))
		}
	}
	if c.SASL != nil {
		errs = append(errs, c.SASL.validate())
	}
	return errors.Join(errs...)
}

// client is what every connection shares.
func (c *Config) client() *sarama.Config {
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	conf.ClientID = c.ClientID
	conf.Net.DialTimeout = 5 * time.Second
	conf.Net.ReadTimeout = 10 * time.Second
	conf.Net.WriteTimeout = 10 * time.Second
	conf.Metadata.AllowAutoTopicCreation = false
	if c.TLS != nil {
		conf.Net.TLS.Enable = true
		conf.Net.TLS.Config = c.TLS
	}
	c.SASL.apply(conf)
	return conf
}

// gatherFor is how long the producer waits after a record for those that follow, before it sends them together. Without it sarama
// sends the first record or two of a batch in a request of their own, and the rest in one or two more.
const gatherFor = time.Millisecond

// producer is the settings of one that gathers for a while; 0: that sends at once.
func (c *Config) producer(gather time.Duration) *sarama.Config {
	conf := c.client()
	conf.Metadata.Full = false // of the topics in use, not of the whole cluster
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Producer.Idempotent = true
	conf.Net.MaxOpenRequests = 1
	conf.Producer.Timeout = 10 * time.Second
	conf.Producer.MaxMessageBytes = c.MaxMessageBytes
	conf.Producer.Partitioner = sarama.NewMurmur2Partitioner
	conf.Producer.Compression = compression
	conf.Producer.Flush.Frequency = gather
	conf.Producer.Return.Successes = true
	conf.Producer.Return.Errors = true
	conf.Producer.Retry.Max = 10
	conf.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration { return backoff(retries, 50*time.Millisecond, 2*time.Second) }
	return conf
}

func (c *Config) consumer() *sarama.Config {
	conf := c.client()
	conf.Metadata.Full = false // of the topics in use, not of the whole cluster
	conf.Consumer.Return.Errors = true
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Consumer.Offsets.AutoCommit.Interval = 250 * time.Millisecond
	conf.Consumer.MaxProcessingTime = 5 * time.Second
	conf.Consumer.MaxWaitTime = c.fetchWait
	conf.Consumer.Fetch.Min = 1
	conf.Consumer.Fetch.Default = 1 << 20
	group := &conf.Consumer.Group
	group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	group.Rebalance.Timeout = 10 * time.Second
	group.Session.Timeout = 6 * time.Second
	group.Heartbeat.Interval = 1500 * time.Millisecond
	group.ResetInvalidOffsets = true
	group.InstanceId = c.InstanceID
	return conf
}

// backoff doubles from first with each try, the first being 1, up to limit.
func backoff(try int, first, limit time.Duration) time.Duration {
	d := first
	for ; try > 1 && d < limit; try-- {
		d *= 2
	}
	return min(d, limit)
}
