package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/conformance"
	pkafka "github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

// shopVariable makes this test's binary a participant, of the brokers that it names.
const shopVariable = "CONFORMANCE_TEST_SHOP"

// prefixVariable is put before the names of its topics.
const prefixVariable = "CONFORMANCE_TEST_PREFIX"

// hastyVariable makes that one wrong.
const hastyVariable = "CONFORMANCE_TEST_HASTY"

func TestMain(m *testing.M) {
	if brokers := os.Getenv(shopVariable); brokers != "" {
		if err := shop(strings.Split(brokers, ",")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")) // sarama's, one for each process
}

// shop runs until it is told to end. Its barrier dies with it, but its answers are always the same.
func shop(brokers []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	transport, err := pkafka.New(pkafka.Config{Brokers: brokers})
	if err != nil {
		return err
	}
	p := participants.New("shop", &participants.Memory{}, participants.Config{Topics: wire.Topics{Prefix: os.Getenv(prefixVariable)}})
	p.Handle("Buy.v1", func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Succeed("bought")
	}, nil)
	var link participants.Transport = transport
	if os.Getenv(hastyVariable) != "" {
		link = hasty{transport}
	}
	return errors.Join(p.Run(ctx, link), transport.Close())
}

// hasty commits offsets before replies.
type hasty struct{ *pkafka.Transport }

func (h hasty) Consume(ctx context.Context, topic, group string, take func(participants.Delivery)) error {
	return h.Transport.Consume(ctx, topic, group, func(d participants.Delivery) {
		finish := d.Finish
		d.Finish = func(error) {}
		take(d)
		finish(nil)
	})
}

// process is the shop in a process of its own.
type process struct {
	brokers []string
	topics  wire.Topics
	env     []string
	starts  int
	cmd     *exec.Cmd
	err     error // of Err
	refuse  error // of Start
}

func (p *process) Start() error {
	if p.refuse != nil {
		return p.refuse
	}
	p.starts++
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(append(os.Environ(), p.env...), shopVariable+"="+strings.Join(p.brokers, ","), prefixVariable+"="+p.topics.Prefix)
	return p.cmd.Start()
}

func (p *process) Kill() error { return p.end(syscall.SIGKILL) }
func (p *process) Stop() error { return p.end(syscall.SIGTERM) }
func (p *process) Err() error  { return p.err }

func (p *process) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	_ = p.cmd.Wait() // it says which signal ended it
	return nil
}

// own is a prefix of the test's own: its broker may be shared.
func own() wire.Topics { return wire.Topics{Prefix: "t" + wire.RandomID().String() + "."} }

func shopPlan() *conformance.Plan {
	return &conformance.Plan{Participant: "shop", Command: "Buy.v1", Payload: []byte(`{"order":"${saga}"}`)}
}

// TestLink: the kit plays through a broker, the crash too, and leaves no topic behind.
func TestLink(t *testing.T) {
	t.Parallel()
	brokers, mine := embeddedtest.Kafka(t), own()
	p := &process{brokers: brokers, topics: mine}
	link, err := Open(t.Context(), Config{Brokers: brokers, Topics: mine, Participant: "shop", Process: p})
	require.NoError(t, err)
	report, err := conformance.Run(t.Context(), conformance.Config{Plan: shopPlan(), Link: link, Crasher: link})
	require.NoError(t, err)
	require.Empty(t, report.Failed(), "%+v", report.Findings)
	require.Equal(t, 2, p.starts)
	for _, f := range report.Findings {
		if f.Check == "crash" {
			require.Contains(t, f.Saw, "it commits, and is killed")
		}
	}
	require.NoError(t, link.Close())
	onlyOwn(t, brokers, mine)
}

// TestLink_Hasty: one that commits offsets before its replies loses a reply in a crash.
func TestLink_Hasty(t *testing.T) {
	t.Parallel()
	brokers, mine := embeddedtest.Kafka(t), own()
	p := &process{brokers: brokers, topics: mine, env: []string{hastyVariable + "=1"}}
	link, err := Open(t.Context(), Config{Brokers: brokers, Topics: mine, Participant: "shop", Process: p})
	require.NoError(t, err)
	report, err := conformance.Run(t.Context(), conformance.Config{Plan: shopPlan(), Link: link, Crasher: link, RestartPatience: 5 * time.Second})
	require.NoError(t, err)
	require.Equal(t, []string{"crash"}, report.Failed())
	require.NoError(t, link.Close())
}

// onlyOwn waits until what the kit made is gone, but for the participant's own: a broker names a topic for some time after its end.
func onlyOwn(t *testing.T, brokers []string, mine wire.Topics) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, []string{mine.Commands("shop")}, topics(c, brokers, mine))
	}, 20*time.Second, 100*time.Millisecond)
}

// topics are those with the prefix.
func topics(t require.TestingT, brokers []string, mine wire.Topics) []string {
	client, err := sarama.NewClient(brokers, nil)
	require.NoError(t, err)
	defer client.Close()
	all, err := client.Topics()
	require.NoError(t, err)
	var names []string
	for _, name := range all {
		if strings.HasPrefix(name, mine.Prefix) {
			names = append(names, name)
		}
	}
	return names
}

// TestRelease_Made: a topic that is there before it is released has been made by somebody who mentioned it.
func TestRelease_Made(t *testing.T) {
	t.Parallel()
	brokers, mine := embeddedtest.Kafka(t), own()
	link, err := Open(t.Context(), Config{Brokers: brokers, Topics: mine, Participant: "shop", Process: &process{brokers: brokers, topics: mine}})
	require.NoError(t, err)
	topic, err := link.Hold(t.Context())
	require.NoError(t, err)
	require.NoError(t, link.create(t.Context(), topic))
	require.ErrorIs(t, link.Release(t.Context(), topic), conformance.ErrCannotHold)
	require.NoError(t, link.Close())
	onlyOwn(t, brokers, mine)
}

func TestOpen_Errors(t *testing.T) {
	t.Parallel()
	brokers, mine, other := embeddedtest.Kafka(t), own(), own()
	open := func(p Process) error {
		_, err := Open(t.Context(), Config{Brokers: brokers, Topics: mine, Participant: "shop", Process: p, StartTimeout: 300 * time.Millisecond})
		return err
	}
	require.ErrorIs(t, open(nil), ErrNoTopic)
	refused := errors.New("no such program")
	err := open(&process{refuse: refused})
	require.ErrorIs(t, err, ErrStart)
	require.ErrorIs(t, err, refused)
	require.ErrorIs(t, open(nil), ErrNobody, "the topic was made for it to start")
	p := &process{brokers: brokers, topics: other, err: errors.New("exit status 1")} // reads behind another prefix
	err = open(p)
	require.ErrorIs(t, err, ErrStart)
	require.ErrorIs(t, err, p.err, "one that has ended is not waited for")
	p.err = nil
	err = open(p)
	require.ErrorIs(t, err, ErrStart)
	require.ErrorContains(t, err, "group "+mine.Prefix+"shop has no member")

	running := &process{brokers: brokers, topics: other}
	link, err := Open(t.Context(), Config{Brokers: brokers, Topics: other, Participant: "shop", Process: running})
	require.NoError(t, err)
	_, err = Open(t.Context(), Config{Brokers: brokers, Topics: other, Participant: "shop", Process: &process{brokers: brokers, topics: other}})
	require.ErrorIs(t, err, ErrRunning)
	require.NoError(t, link.Close())
	_, err = Open(t.Context(), Config{Brokers: []string{"127.0.0.1:1"}, Participant: "shop"})
	require.Error(t, err)
}
