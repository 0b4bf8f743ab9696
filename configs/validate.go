package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/participants/wire"
)

// Validate returns all mistakes at once, each beginning with its key. required names keys that the caller can't do without,
// such as database.url.
func (c *Config) Validate(required ...string) error {
	v := validator{}
	c.validateServing(&v)
	c.validateServers(&v)
	for key, n := range map[string]int{
		"database.engine_conns": c.Database.EngineConns, "database.api_conns": c.Database.APIConns,
		"topics.partitions": c.Topics.Partitions,
		"intake.replies":    c.Intake.Replies, "intake.starts": c.Intake.Starts, "intake.batch_events": c.Intake.BatchEvents,
		"sweep.limit": c.Sweep.Limit, "outbox.high_water": c.Outbox.HighWater,
		"breaker.answers": c.Breaker.Answers, "breaker.sagas": c.Breaker.Sagas,
		"retention.rate": c.Retention.Rate,
	} {
		v.check(n >= 1, key, "%d: want 1 or more", n)
	}
	for key, d := range map[string]time.Duration{
		"drain_limit": c.DrainLimit, "http.header_read_timeout": c.HTTP.HeaderReadTimeout,
		"http.body_read_timeout": c.HTTP.BodyReadTimeout, "http.idle_timeout": c.HTTP.IdleTimeout,
		"database.engine_statement_timeout":    c.Database.EngineStatementTimeout,
		"database.api_statement_timeout":       c.Database.APIStatementTimeout,
		"database.lock_timeout":                c.Database.LockTimeout,
		"database.idle_in_transaction_timeout": c.Database.IdleInTransactionTimeout,
		"sweep.interval":                       c.Sweep.Interval,
		"session.idle":                         c.Session.Idle, "session.lifetime": c.Session.Lifetime,
		"breaker.window": c.Breaker.Window, "breaker.pause": c.Breaker.Pause, "breaker.pause_max": c.Breaker.PauseMax, "breaker.try": c.Breaker.Try,
	} {
		// Postgres takes whole milliseconds, and reads 0 as "no limit".
		v.check(d >= time.Millisecond, key, "%s: want 1ms or more", d)
	}
	for key, limit := range map[string]struct{ got, least Bytes }{
		"http.header_limit":         {c.HTTP.HeaderLimit, 4 << 10},
		"intake.batch_bytes":        {c.Intake.BatchBytes, 1 << 20},
		"quarantine.bytes_per_hour": {c.Quarantine.BytesPerHour, 0},
	} {
		v.check(limit.got >= limit.least, key, "%s: want %s or more", limit.got, limit.least)
	}
	v.check(c.Breaker.Percent >= 1 && c.Breaker.Percent <= 100, "breaker.percent", "%d: want 1 to 100", c.Breaker.Percent)
	c.validateStarts(&v)
	c.validateRetention(&v)
	c.validateWebhook(&v)
	c.validateAuth(&v)
	c.validateTracing(&v)
	c.require(&v, required)
	return v.err()
}

func (c *Config) validateServing(v *validator) {
	if host, ok := v.addr("http.addr", c.HTTP.Addr); ok {
		v.check(c.AllowUnauthenticated || c.Authenticated() || isLoopback(host), "http.addr",
			"%s is reachable from beyond this machine and there is no authentication: everybody would be admin; set SKALD_AUTH=keys "+
				"(see skald apikey), or SKALD_ALLOW_UNAUTHENTICATED=true if that is wanted", c.HTTP.Addr)
	}
	v.check(c.HTTP.Rate >= 0, "http.rate", "%d: want 0 (no limit) or more", c.HTTP.Rate)
	if c.Admin.Addr != "" {
		v.addr("admin.addr", c.Admin.Addr)
	}
	v.check(match(`[a-z][a-z0-9-]{0,62}`, c.Cluster), "cluster", "%q: want lower-case letters, digits and hyphens, at most 63", c.Cluster)
	v.check(match(`[A-Za-z0-9._-]{0,200}`, c.InstanceID), "instance_id", "%q: want letters, digits, dots, underscores and hyphens, at most 200", c.InstanceID)
	if c.ReplyKeys != "" {
		_, err := wire.ParseKeyring(c.ReplyKeys.Reveal())
		v.check(err == nil, "reply_keys", "%v", err)
	}
	v.check(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format", "%q: want text or json", c.Log.Format)
	v.check(slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level", "%q: want debug, info, warn or error", c.Log.Level)
}

func (c *Config) validateServers(v *validator) {
	if c.Database.URL != "" {
		_, err := pgx.ParseConfig(c.Database.URL.Reveal())
		v.check(err == nil, "database.url", "%v", err) // pgx hides the password in it
	}
	for _, broker := range c.Kafka.Brokers {
		v.addr("kafka.brokers", broker)
	}
	v.check(match(`[A-Za-z0-9._-]{1,200}`, c.Kafka.Group), "kafka.group", "%q: want letters, digits, dots, underscores and hyphens, at most 200", c.Kafka.Group)
	// 249 is Kafka's limit; the longest name behind the prefix is that of a participant's commands.
	v.check(match(`[A-Za-z0-9._-]{0,150}`, c.Topics.Prefix), "topics.prefix", "%q: want letters, digits, dots, underscores and hyphens, at most 150", c.Topics.Prefix)
	v.check(c.Topics.Replication == -1 || c.Topics.Replication >= 1 && c.Topics.Replication <= 32767, "topics.replication", "%d: want -1 or 1 to 32767", c.Topics.Replication)
}

// retentionLeast is the shortest policy: well above what clocks of replicas differ by.
const retentionLeast = 24 * time.Hour

func (c *Config) validateRetention(v *validator) {
	long := func(d time.Duration) bool { return d == 0 || d >= retentionLeast }
	v.check(long(time.Duration(c.Retention.Default)), "retention.default", "%s: want 0 (for ever) or at least 1d", c.Retention.Default)
	v.check(long(time.Duration(c.Retention.Handled)), "retention.handled", "%s: want 0 (for ever) or at least 1d", c.Retention.Handled)
	policies, err := c.Retention.Policies()
	v.check(err == nil, "retention.sagas", "%v", err)
	for name, d := range policies {
		v.check(match(`[a-z][a-z0-9-]{0,62}`, name), "retention.sagas", "%q is no name of a definition", name)
		v.check(long(d), "retention.sagas", "%s=%s: want 0 (for ever) or at least 1d", name, d)
	}
}

func (c *Config) validateWebhook(v *validator) {
	for _, network := range c.Webhook.Networks {
		_, err := netip.ParsePrefix(network)
		v.check(err == nil, "webhook.networks", "%q: want a network such as 10.20.0.0/16", network)
	}
	if c.Webhook.URL == "" {
		return
	}
	u, err := url.Parse(c.Webhook.URL.Reveal())
	plain := err == nil && u.Scheme == "http" && len(c.Webhook.Networks) > 0
	v.check(err == nil && u.Host != "" && (u.Scheme == "https" || plain), "webhook.url",
		"want an https address; http will do where webhook.networks is set") // not the URL itself: it may hold a secret
	v.check(len(c.Webhook.Secret) >= 16, "webhook.secret", "want 16 characters or more")
}

// require knows the keys that have no default; asking for another is a programmer's mistake.
func (c *Config) require(v *validator, keys []string) {
	set := map[string]bool{
		"database.url": c.Database.URL != "", "kafka.brokers": len(c.Kafka.Brokers) > 0,
		"data_dir": c.DataDir != "", "instance_id": c.InstanceID != "", "reply_keys": c.ReplyKeys != "",
	}
	for _, key := range keys {
		isSet, known := set[key]
		if !known {
			panic("configs: " + key + " can't be required")
		}
		v.check(isSet, key, "is not set")
	}
}

// validator gathers mistakes by key.
type validator struct{ mistakes []string }

func (v *validator) check(ok bool, key, format string, args ...any) {
	if !ok {
		v.mistakes = append(v.mistakes, key+": "+fmt.Sprintf(format, args...))
	}
}

func (v *validator) addr(key, addr string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	v.check(err == nil, key, "%q: want host:port", addr)
	return host, err == nil
}

// err lists the mistakes by key, whatever order they were found in.
func (v *validator) err() error {
	slices.Sort(v.mistakes)
	var errs []error
	for _, m := range v.mistakes {
		errs = append(errs, errors.New(m))
	}
	return errors.Join(errs...)
}

func match(pattern, s string) bool { return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(s) }

// isLoopback tells whether only this machine reaches the host. An empty host is every interface.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
