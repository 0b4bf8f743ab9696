package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/participants/wire"
)

// Stack is a database, a broker, and what runs on them.
type Stack struct {
	t       testing.TB
	env     []string
	brokers []string
	prefix  string
	Pool    *pgxpool.Pool // of the database that the engine and the participants share
}

// New makes an empty database and a name for topics and groups, and migrates. Nothing runs yet.
func New(t testing.TB) *Stack {
	t.Helper()
	return On(t, embeddedtest.Database(t), embeddedtest.Kafka(t))
}

// On is New on servers that the test has started itself, to stop them too.
func On(t testing.TB, dsn string, brokers []string) *Stack {
	t.Helper()
	prefix := "e2e-" + strings.ToLower(rand.Text()[:10])
	s := &Stack{t: t, brokers: brokers, prefix: prefix, env: []string{
		"SKALD_DATABASE_URL=" + dsn, "SKALD_KAFKA_BROKERS=" + strings.Join(brokers, ","),
		"SKALD_TOPICS_PREFIX=" + prefix + ".", "SKALD_KAFKA_GROUP=" + prefix, "SKALD_TOPICS_PARTITIONS=6",
		"SKALD_LOG_FORMAT=json", "SKALD_HTTP_ADDR=127.0.0.1:0",
	}}
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(pool.Close)
	s.Pool = pool
	s.Run("migrate", "up")
	return s
}

// Brokers are the addresses of Kafka.
func (s *Stack) Brokers() []string { return s.brokers }

// Topics names the stack's topics.
func (s *Stack) Topics() wire.Topics { return wire.Topics{Prefix: s.prefix + "."} }

// Group is the consumer group of a participant.
func (s *Stack) Group(participant string) string { return s.prefix + "." + participant }

// Start runs skald on the stack's servers.
func (s *Stack) Start(args ...string) *Process {
	s.t.Helper()
	env := s.env
	if args[0] == "serve" {
		env = append(env[:len(env):len(env)], "SKALD_ADMIN_ADDR=127.0.0.1:0")
	}
	return Start(s.t, env, args...)
}

// Run runs skald to its end, which must be a success.
func (s *Stack) Run(args ...string) string {
	s.t.Helper()
	p := s.Start(args...)
	if err := p.Wait(time.Minute); err != nil {
		s.t.Fatal(err)
	}
	if code := p.ExitCode(); code != 0 {
		s.t.Fatalf("skald %s: exit code %d\n%s", p.name, code, p.Err)
	}
	return p.Out.String()
}

// Replica is a running `skald serve`.
type Replica struct {
	*Process
	*client.Client
	URL string
}

// Serve starts a replica. Ready waits for it.
func (s *Stack) Serve() *Replica {
	s.t.Helper()
	return &Replica{Process: s.Start("serve")}
}

// ServeTagged starts a replica of a binary that is built with a tag, with further environment. Ready waits for it.
func (s *Stack) ServeTagged(tag string, env ...string) *Replica {
	s.t.Helper()
	env = append(append(s.env[:len(s.env):len(s.env)], "SKALD_ADMIN_ADDR=127.0.0.1:0"), env...)
	return &Replica{Process: StartTagged(s.t, tag, env, "serve")}
}

// Ready waits until the replica takes requests.
func (r *Replica) Ready(t testing.TB) *Replica {
	t.Helper()
	Eventually(t, time.Minute, func(ctx context.Context) error {
		if !r.Running() {
			t.Fatalf("the replica has ended: %s", r.Err)
		}
		if r.URL == "" {
			url, ok := logged(r.Err.String(), "serving", "url")
			if !ok {
				return fmt.Errorf("it has not said yet where it serves")
			}
			c, err := client.New(url)
			if err != nil {
				return err
			}
			r.URL, r.Client = url, c
		}
		return r.Client.Ready(ctx)
	})
	return r
}

// logged finds an attribute of a line of a JSON log.
func logged(log, message, attribute string) (string, bool) {
	for line := range strings.Lines(log) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
			value, ok := entry[attribute].(string)
			return value, ok
		}
	}
	return "", false
}

// Participant starts one reference participant.
func (s *Stack) Participant(name string) *Process {
	s.t.Helper()
	return s.Start("participant", name)
}

// Participants starts all four.
func (s *Stack) Participants() map[string]*Process {
	s.t.Helper()
	all := map[string]*Process{}
	for _, name := range []string{"orders", "payments", "inventory", "shipping"} {
		all[name] = s.Participant(name)
	}
	return all
}

// Eventually asks again and again until what it asks answers nil. It fails the test with the last error after limit, or four
// times as long under the race detector, which makes everything several times as slow; without it the limit holds.
func Eventually(t testing.TB, limit time.Duration, what func(context.Context) error) {
	t.Helper()
	if Raced {
		limit *= 4
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := what(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil { // the end of ctx says less than what was before it
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %s: %v", limit, last)
		}
	}
}
