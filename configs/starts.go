package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skaldhq/skald/participants/wire"
)

// Starts is how sagas are started by records. Whose a record is follows from its topic alone.
type Starts struct {
	Topics  []string `env:"TOPICS" default:"skald.starts=default" placeholder:"TOPIC=TENANT,..." help:"Topics whose records start sagas, and of which tenant, such as orders.starts=acme; topics.prefix is put before each. Empty: none."`
	ReplyTo []string `env:"REPLY_TO" placeholder:"TENANT=TOPIC,..." help:"Topics where starts of a tenant may be answered, by their whole name, such as acme=orders.answers. Empty: nowhere."`
}

// topicMax is Kafka's limit.
const topicMax = 249

// StartTenants are the tenants of the topics that are read for starts, by the topic's whole name. The map is never nil.
func (c *Config) StartTenants() (map[string]string, error) {
	out := map[string]string{}
	for _, entry := range c.Starts.Topics {
		if entry == "" { // an empty list, as a flag or in the environment
			continue
		}
		name, tenant, found := strings.Cut(strings.TrimSpace(entry), "=")
		topic := c.Topics.Prefix + name
		_, twice := out[topic]
		switch {
		case !found || !wire.ValidTopic(name) || len(topic) > topicMax || !wire.ValidName(tenant):
			return nil, fmt.Errorf("%q: want a topic and a tenant such as orders.starts=acme", entry)
		case twice:
			return nil, fmt.Errorf("%s stands twice", topic)
		case c.ownTopic(topic):
			return nil, fmt.Errorf("%s is for other records", topic)
		}
		out[topic] = tenant
	}
	return out, nil
}

// StartAnswers are the topics where starts may be answered, by tenant.
func (c *Config) StartAnswers() (map[string][]string, error) {
	starts, err := c.StartTenants()
	if err != nil {
		return nil, nil // said there
	}
	out := map[string][]string{}
	for _, entry := range c.Starts.ReplyTo {
		if entry == "" {
			continue
		}
		tenant, topic, found := strings.Cut(strings.TrimSpace(entry), "=")
		_, read := starts[topic]
		switch {
		case !found || !wire.ValidTopic(topic) || !wire.ValidName(tenant):
			return nil, fmt.Errorf("%q: want a tenant and a topic such as acme=orders.answers", entry)
		case read || c.ownTopic(topic):
			return nil, fmt.Errorf("%s is for other records", topic)
		case slices.Contains(out[tenant], topic):
			return nil, fmt.Errorf("%s=%s stands twice", tenant, topic)
		}
		out[tenant] = append(out[tenant], topic)
	}
	return out, nil
}

// ownTopic reports whether the engine or its participants use a topic for something else.
func (c *Config) ownTopic(topic string) bool {
	t := wire.Topics{Prefix: c.Topics.Prefix}
	return topic == t.Replies() || topic == t.Events() || strings.HasSuffix(topic, strings.TrimPrefix(t.Commands(""), t.Prefix))
}

func (c *Config) validateStarts(v *validator) {
	_, err := c.StartTenants()
	v.check(err == nil, "starts.topics", "%v", err)
	_, err = c.StartAnswers()
	v.check(err == nil, "starts.reply_to", "%v", err)
}
