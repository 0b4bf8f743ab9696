package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants/wire"
)

// What a Link cannot be opened for. A caller tells whoever runs it what to do.
var (
	ErrNoTopic = errors.New("command topic is missing")
	ErrNobody  = errors.New("nobody reads the command topic")
	ErrRunning = errors.New("participant is running already")
	ErrStart   = errors.New("participant does not start")
)

const (
	// StartTimeoutDefault is how long the participant may take until it reads its topic.
	StartTimeoutDefault = time.Minute

	partitions = 12 // of reply topics: enough that a wrong partitioner shows
	pollPause  = 100 * time.Millisecond
)

// Process is a participant that the kit starts and crashes.
type Process interface {
	// Start starts it. It is called again after Kill.
	Start() error
	// Kill ends it as SIGKILL does, and returns when it is gone.
	Kill() error
	// Stop asks it to end, and returns when it is gone.
	Stop() error
	// Err says why it runs no more; nil while it runs.
	Err() error
}

// Config is what Open takes. Brokers and Participant are required.
type Config struct {
	Brokers      []string
	Topics       wire.Topics          // zero: no prefix
	Participant  string               //
	Process      Process              // nil: the participant runs, and cannot be crashed
	StartTimeout time.Duration        // 0: StartTimeoutDefault
	Configure    func(*sarama.Config) // changes the client's configuration last, such as for SASL; nil: nothing
}

func (c *Config) client() (*sarama.Config, error) {
	s := sarama.NewConfig()
	s.Version = sarama.V3_6_0_0
	s.ClientID = "skald-conformance"
	s.Net.DialTimeout = 5 * time.Second
	s.Net.ReadTimeout = 10 * time.Second
	s.Net.WriteTimeout = 10 * time.Second
	s.Metadata.AllowAutoTopicCreation = false
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Return.Successes = true
	s.Producer.Partitioner = sarama.NewManualPartitioner // the kit says where: a malformed record goes before a good one
	s.Consumer.MaxWaitTime = 100 * time.Millisecond
	s.Consumer.Return.Errors = true
	if c.Configure != nil {
		c.Configure(s)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("configure kafka client: %w", err)
	}
	return s, nil
}
