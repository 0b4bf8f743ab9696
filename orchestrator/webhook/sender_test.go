package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/orchestrator/webhook"
)

func TestMain(m *testing.M) {
	// sarama's metrics tick on for good.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

const secret = "a secret of some length"

// receiver is somebody's server: it checks each signature by itself and answers as it is told.
type receiver struct {
	*httptest.Server
	tries  atomic.Int64
	bodies chan string
}

func newReceiver(t *testing.T, answer func(try int64, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rec := &receiver{bodies: make(chan string, 100)}
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender has gone
		}
		// As docs/operations.md tells receivers to do it.
		stamp := r.Header.Get("Skald-Timestamp")
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(stamp + "." + string(body)))
		want := "v1=" + hex.EncodeToString(mac.Sum(nil))
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || !hmac.Equal([]byte(want), []byte(r.Header.Get("Skald-Signature"))) || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		try := rec.tries.Add(1)
		if r.Header.Get("Skald-Try") != strconv.FormatInt(try, 10) || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		rec.bodies <- string(body)
		answer(try, w, r)
	}))
	t.Cleanup(rec.Close)
	return rec
}

func newSender(t *testing.T, url string, change ...func(*webhook.Config)) (*webhook.Sender, *strings.Builder, map[string]int) {
	t.Helper()
	var log strings.Builder
	outcomes := map[string]int{}
	cfg := webhook.Config{
		URL: url, Secret: []byte(secret), Networks: []string{"127.0.0.0/8"}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Outcome: func(outcome string) { outcomes[outcome]++ }, First: time.Millisecond, Most: 2 * time.Millisecond,
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := webhook.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s, &log, outcomes
}

func notice() webhook.Notice {
	return webhook.Notice{
		ID: "019aa000-0000-7000-8000-000000000000/7", Type: webhook.AttentionRaised, At: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), Tenant: "default",
		SagaID: "019aa000-0000-7000-8000-000000000000", Saga: "order-placement", Version: 2, Step: "charge-payment", Reason: "slow",
	}
}

func TestDeliver_SignedAndRetried(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, func(try int64, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(map[int64]int{1: 500, 2: 429, 3: 204}[try])
	})
	s, _, outcomes := newSender(t, rec.URL)
	require.NoError(t, s.Deliver(t.Context(), notice()))
	require.EqualValues(t, 3, rec.tries.Load())
	require.Equal(t, map[string]int{"retried": 2, "delivered": 1}, outcomes)
	var got webhook.Notice
	require.NoError(t, json.Unmarshal([]byte(<-rec.bodies), &got))
	require.Equal(t, notice(), got)
}

// A receiver that refuses is not asked for ever; the log says that nobody was told.
func TestDeliver_GivesUp(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) })
	s, log, outcomes := newSender(t, rec.URL+"/hooks?key=hunter2")
	require.NoError(t, s.Deliver(t.Context(), notice()))
	require.EqualValues(t, 5, rec.tries.Load())
	require.Equal(t, 1, outcomes["given_up"])
	require.Contains(t, log.String(), "a notice is given up")
	require.NotContains(t, log.String(), "hunter2", "the address may hold a secret")

	away := httptest.NewServer(nil)
	away.Close()
	s, log, outcomes = newSender(t, away.URL+"/hunter2", func(c *webhook.Config) { c.GiveUp = 20 * time.Millisecond })
	require.NoError(t, s.Deliver(t.Context(), notice()))
	require.Equal(t, 1, outcomes["given_up"])
	require.Positive(t, outcomes["retried"])
	require.NotContains(t, log.String(), "hunter2")
}

func TestDeliver_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	s, _, _ := newSender(t, rec.URL, func(c *webhook.Config) { c.First = time.Hour })
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-rec.bodies; stop() }()
	require.ErrorIs(t, s.Deliver(ctx, notice()), context.Canceled, "it was not delivered, and must be sent again by somebody")
}

func TestDeliver_FollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	secretPlace := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer secretPlace.Close()
	rec := newReceiver(t, func(try int64, w http.ResponseWriter, r *http.Request) {
		if try == 1 {
			http.Redirect(w, r, secretPlace.URL, http.StatusTemporaryRedirect)
		}
	})
	s, _, outcomes := newSender(t, rec.URL)
	require.NoError(t, s.Deliver(t.Context(), notice()))
	require.False(t, followed.Load())
	require.Equal(t, 1, outcomes["retried"])
}

// A receiver can neither hold a try open nor fill the memory.
func TestDeliver_Limits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	rec := newReceiver(t, func(try int64, w http.ResponseWriter, r *http.Request) {
		switch try {
		case 1:
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case 2:
			for range 1 << 20 {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}
	})
	defer close(release)
	s, _, outcomes := newSender(t, rec.URL, func(c *webhook.Config) { c.Timeout = 300 * time.Millisecond })
	require.NoError(t, s.Deliver(t.Context(), notice()))
	require.EqualValues(t, 2, rec.tries.Load(), "its 200 counts, however much follows it")
	require.Equal(t, map[string]int{"retried": 1, "delivered": 1}, outcomes)
}

// The address is checked as it is dialed: whatever the name says, and whatever it resolved to before.
func TestDeliver_PrivateAddressesAreNotDialed(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	private := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	defer private.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(private.URL, "https://"), ":")
	for _, url := range []string{private.URL, "https://localhost:" + port, "https://[::ffff:127.0.0.1]:" + port, "https://0x7f000001:" + port, "https://127.1:" + port} {
		s, log, outcomes := newSender(t, url, func(c *webhook.Config) { c.Networks, c.GiveUp = nil, time.Nanosecond })
		require.NoError(t, s.Deliver(t.Context(), notice()))
		require.Equal(t, 1, outcomes["given_up"], url)
		if !strings.Contains(url, "0x7f") && !strings.Contains(url, "127.1") { // these two may not be resolved at all
			require.Contains(t, log.String(), "may not be dialed", url)
		}
	}
	s, log, _ := newSender(t, "http://127.0.0.1:"+port, func(c *webhook.Config) { c.Networks, c.GiveUp = []string{"10.0.0.0/8"}, time.Nanosecond })
	require.NoError(t, s.Deliver(t.Context(), notice()))
	require.Contains(t, log.String(), "may not be dialed")
	require.False(t, asked.Load())
}

func TestNew_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []webhook.Config{
		{URL: "ftp://hunter2.example.org", Secret: []byte(secret)},
		{URL: "hunter2", Secret: []byte(secret)},
		{URL: "http://hunter2.example.org", Secret: []byte(secret)},
		{URL: "https://hunter2.example.org"},
		{URL: "https://hunter2.example.org", Secret: []byte(secret), Networks: []string{"10.0.0.1"}},
	} {
		_, err := webhook.New(c)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
