package kafka

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// SASL authenticates a client by user and password.
type SASL struct {
	Mechanism Mechanism
	User      string
	Password  string
}

// Mechanism is a SASL mechanism. PLAIN sends the password as it is and belongs on TLS.
type Mechanism string

// The mechanisms.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
)

// String hides the password.
func (s SASL) String() string { return fmt.Sprintf("sasl(%s, %s)", s.Mechanism, s.User) }

// GoString hides the password.
func (s SASL) GoString() string { return s.String() }

func (s *SASL) validate() error {
	switch s.Mechanism {
	case Plain, ScramSHA256, ScramSHA512:
	default:
		return fmt.Errorf("sasl.mechanism: %q is none of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512", s.Mechanism)
	}
	if s.User == "" || s.Password == "" {
		return errors.New("sasl: want user and password")
	}
	return nil
}

func (s *SASL) apply(conf *sarama.Config) {
	if s == nil {
		return
	}
	conf.Net.SASL.Enable = true
	conf.Net.SASL.User = s.User
	conf.Net.SASL.Password = s.Password
	conf.Net.SASL.Mechanism = sarama.SASLMechanism(s.Mechanism)
	switch s.Mechanism {
	case Plain:
	case ScramSHA256:
		conf.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA256} }
	case ScramSHA512:
		conf.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA512} }
	}
}

// scramClient is one conversation of SCRAM.
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

var _ sarama.SCRAMClient = (*scramClient)(nil)

func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

func (c *scramClient) Done() bool { return c.conversation.Done() }
