package webhook_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/orchestrator/webhook"
	"github.com/skaldhq/skald/participants/wire"
)

// A replica dies while the receiver is away: the notice is in nobody's memory, and another replica delivers it.
func TestNotices_SurviveAReplica(t *testing.T) {
	t.Parallel()
	unique := "t" + strings.ToLower(rand.Text()[:12])
	cfg := kafka.Config{Brokers: embeddedtest.Kafka(t), Group: unique, Topics: wire.Topics{Prefix: unique + "."}, Partitions: 1}
	admin, err := kafka.NewAdmin(cfg)
	require.NoError(t, err)
	_, err = admin.Ensure(t.Context(), admin.Own()...)
	require.NoError(t, err)
	publish := func(facts ...saga.Fact) {
		t.Helper()
		conf := sarama.NewConfig()
		conf.Producer.Return.Successes = true
		producer, err := sarama.NewSyncProducer(cfg.Brokers, conf)
		require.NoError(t, err)
		for _, f := range facts {
			record := event(t, f)
			msg := &sarama.ProducerMessage{Topic: cfg.Topics.Events(), Key: sarama.ByteEncoder(record.Key), Value: sarama.ByteEncoder(record.Value)}
			for _, h := range record.Headers {
				msg.Headers = append(msg.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
			}
			_, _, err := producer.SendMessage(msg)
			require.NoError(t, err)
		}
		require.NoError(t, producer.Close())
	}
	replica := func(url string) (die func()) {
		follower, err := kafka.NewFollower(cfg, unique+"-webhook")
		require.NoError(t, err)
		s, err := webhook.New(webhook.Config{URL: url, Secret: []byte(secret), Networks: []string{"127.0.0.0/8"}, First: time.Millisecond, Most: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = follower.Run(ctx, s.Handle) })
		die = sync.OnceFunc(func() { cancel(); running.Wait(); s.Close() })
		t.Cleanup(die)
		return die
	}
	away := newReceiver(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	die := replica(away.URL)
	// A group that is new begins at the end: publish until it has begun.
	tries := 0
	for begun := false; !begun; tries++ {
		publish(saga.Fact{Type: saga.SagaSuspended, Why: "It is stuck."})
		select {
		case <-away.bodies:
			begun = true
		case <-time.After(200 * time.Millisecond):
			require.Less(t, tries, 200, "the replica follows nothing")
		}
	}
	publish(saga.Fact{Type: saga.AttentionRaised, Reason: "slow"}, saga.Fact{Type: saga.SagaStarted})
	die()

	got := make(chan string, 100)
	well := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			got <- string(body)
		}
	}))
	defer well.Close()
	replica(well.URL)
	limit := time.After(40 * time.Second)
	for _, want := range []string{`"saga.suspended"`, `"attention.raised"`} {
		for found := false; !found; {
			select {
			case body := <-got: // one that was delivered may come again
				found = strings.Contains(body, want)
			case <-limit:
				require.Fail(t, "a notice is lost", want)
			}
		}
	}
}
