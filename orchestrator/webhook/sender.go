package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// The headers of a request beside Content-Type.
const (
	HeaderTimestamp = "Skald-Timestamp" // seconds since 1970, when this try was made
	HeaderSignature = "Skald-Signature" // v1= and, in hex, HMAC-SHA256 with the secret over timestamp, a dot, and the body
	HeaderNotice    = "Skald-Notice"    // the notice's id
	HeaderTry       = "Skald-Try"       // 1, 2, ...
)

const (
	answerMost = 64 << 10
	headerMost = 16 << 10
)

// Config is where notices go. URL and Secret are required; zero fields take the defaults.
type Config struct {
	URL      string   // https; http where Networks is set, and then for addresses of these alone
	Secret   []byte   // signs each request
	Networks []string // private networks that the URL may lead to; none: public addresses alone
	Logger   *slog.Logger
	// Outcome is called after each notice, for metrics: delivered, or given_up; and after each try that failed: retried. nil: not.
	Outcome func(outcome string)

	Timeout  time.Duration // of one try; 0: 5 s
	First    time.Duration // back-off before the second try, doubled from then on; 0: 1 s
	Most     time.Duration // longest back-off; 0: 1 min
	GiveUp   time.Duration // how long a notice is tried while the receiver is away or overloaded; 0: 24 h
	Refusals int           // after how many answers that refuse it (4xx but 408, 425 and 429) a notice is given up; 0: 5
}

// Sender delivers notices. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a Sender; nothing is sent yet.
func New(cfg Config) (*Sender, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("prepare the webhook: the URL is no https address") // not the URL: it may hold a secret
	}
	if u.Scheme == "http" && len(cfg.Networks) == 0 {
		return nil, errors.New("prepare the webhook: http is for private networks alone, and none is configured")
	}
	if len(cfg.Secret) == 0 {
		return nil, errors.New("prepare the webhook: it has no secret")
	}
	g := &guard{plain: u.Scheme == "http"}
	for _, text := range cfg.Networks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("prepare the webhook: %w", err)
		}
		g.networks = append(g.networks, p.Masked())
	}
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.First, time.Second)
	setDefault(&cfg.Most, time.Minute)
	setDefault(&cfg.GiveUp, 24*time.Hour)
	setDefault(&cfg.Refusals, 5)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Outcome == nil {
		cfg.Outcome = func(string) {}
	}
	dialer := &net.Dialer{Timeout: cfg.Timeout, Control: g.control}
	return &Sender{cfg: cfg, now: time.Now, client: &http.Client{
		Timeout: cfg.Timeout,
		// A receiver that moved is for its owner to enter; a redirect is followed by nobody who signs.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // it would be dialed instead of the receiver, and unchecked
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           4,
			IdleConnTimeout:        30 * time.Second,
			TLSHandshakeTimeout:    cfg.Timeout,
			MaxResponseHeaderBytes: headerMost,
		},
	}}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Close ends idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Handle delivers what an event asks for. It returns nil once the receiver has answered 2xx, where the event asks for nobody, and
// where the notice was given up, which is logged; else ctx's error.
func (s *Sender) Handle(ctx context.Context, event orchestrator.Record) error {
	notice, asks, err := NoticeOf(event)
	if err != nil {
		s.cfg.Logger.ErrorContext(ctx, "an event cannot be read, and nobody is told of it", "error", err)
		return nil
	}
	if !asks {
		return nil
	}
	return s.Deliver(ctx, notice)
}

// Deliver sends a notice until the receiver has answered 2xx, or it is given up (nil: the log has it), or ctx ends (its error).
func (s *Sender) Deliver(ctx context.Context, notice Notice) error {
	body, err := json.Marshal(notice)
	if err != nil {
		return fmt.Errorf("write notice %s: %w", notice.ID, err)
	}
	began, refusals, wait := s.now(), 0, s.cfg.First
	for try := 1; ; try++ {
		err := s.try(ctx, notice.ID, try, body)
		switch {
		case err == nil:
			s.cfg.Outcome("delivered")
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		var refused *refusedError
		if errors.As(err, &refused) {
			refusals++
		}
		if refusals >= s.cfg.Refusals || s.now().Sub(began) >= s.cfg.GiveUp {
			s.cfg.Outcome("given_up")
			s.cfg.Logger.ErrorContext(ctx, "a notice is given up; look at the saga", "saga_id", notice.SagaID, "type", notice.Type, "reason", notice.Reason, "tries", try, "error", err)
			return nil
		}
		s.cfg.Outcome("retried")
		s.cfg.Logger.WarnContext(ctx, "a notice is sent again", "saga_id", notice.SagaID, "try", try, "after", wait, "error", err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, s.cfg.Most)
	}
}

// refusedError is an answer that says that the same request will be refused again.
type refusedError struct{ status int }

func (e *refusedError) Error() string { return fmt.Sprintf("the receiver answered %d", e.status) }

func (s *Sender) try(ctx context.Context, id string, try int, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return hideURL(err)
	}
	stamp := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "skald-webhook")
	req.Header.Set(HeaderNotice, id)
	req.Header.Set(HeaderTry, strconv.Itoa(try))
	req.Header.Set(HeaderTimestamp, stamp)
	req.Header.Set(HeaderSignature, Sign(s.cfg.Secret, stamp, body))
	resp, err := s.client.Do(req)
	if err != nil {
		return hideURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerMost) // so that the connection can be used again; more than that is nobody's answer
	switch status := resp.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests:
		return &refusedError{status}
	default:
		return fmt.Errorf("the receiver answered %d", status)
	}
}

// hideURL takes the URL out of an error: it may hold a secret, and errors are logged.
func hideURL(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		return with.Err
	}
	return err
}

// Sign is the value of HeaderSignature.
func Sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, timestamp+".")
	_, _ = mac.Write(body) // never fails
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
