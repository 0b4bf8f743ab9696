package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// fakeStarts hands out records of starts.
type fakeStarts struct {
	whenEmpty func()

	mu      sync.Mutex // guards what follows
	records []orchestrator.Delivery
	next    int64
}

func (s *fakeStarts) FetchStarts(context.Context) ([]orchestrator.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.records
	s.records = nil
	if len(out) == 0 && s.whenEmpty != nil {
		s.whenEmpty()
	}
	return out, nil
}

// send puts a record where FetchStarts finds it, at an offset that no reply of the tests has.
func (s *fakeStarts) send(record wire.Record) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	offset := 1000 + s.next
	s.next++
	raw := orchestrator.Quarantined{
		Topic: record.Topic, Offset: offset, Key: record.Key, Value: record.Value,
		Timestamp: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(offset)),
	}
	for _, h := range record.Headers {
		raw.Headers = append(raw.Headers, orchestrator.Header(h))
	}
	s.records = append(s.records, orchestrator.Delivery{Raw: raw, Ack: offset})
	return offset
}

type startsBundle struct {
	*testBundle
	starts *fakeStarts
}

func setupStarts(t *testing.T, change ...func(*orchestrator.Config)) *startsBundle {
	t.Helper()
	s := &fakeStarts{}
	b := &startsBundle{starts: s}
	b.testBundle = setup(t, append([]func(*orchestrator.Config){func(c *orchestrator.Config) {
		c.Starts = s
		c.StartRules = startRules()
	}}, change...)...)
	return b
}

func startRules() orchestrator.StartRules {
	return orchestrator.StartRules{
		Tenants: map[string]string{"skald.starts": tenant, "orders.starts": "acme"},
		ReplyTo: map[string][]string{tenant: {"shop.answers"}, "acme": {"acme.answers"}},
		Source:  "/skald/test",
	}
}

// read has the reader hand over all records, and the committer judge them.
func (b *startsBundle) read() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	b.starts.whenEmpty = cancel
	b.workers["startReader"](ctx)
	for b.turn() > 0 {
	}
}

// answers are the answers in the outbox since the last call.
func (b *startsBundle) answers() []wire.Record {
	b.t.Helper()
	b.publish()
	var out []wire.Record
	b.broker.mu.Lock()
	defer b.broker.mu.Unlock()
	b.broker.published = slices.DeleteFunc(b.broker.published, func(r orchestrator.Record) bool {
		record := wire.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, wire.Header(h))
		}
		if kind, _ := record.Header(wire.HeaderType); kind != wire.TypeStart+wire.ReplySuffix {
			return false
		}
		out = append(out, record)
		return true
	})
	return out
}

func (b *startsBundle) sagas() []saga.Instance {
	b.t.Helper()
	var out []saga.Instance
	for _, tenant := range []string{tenant, "acme"} {
		page, err := b.memory.Sagas(b.t.Context(), orchestrator.SagaQuery{Tenant: tenant, Limit: 500})
		require.NoError(b.t, err)
		for _, v := range page.Sagas {
			out = append(out, v.Instance)
		}
	}
	return out
}

func (b *startsBundle) reasons() (out []string) {
	b.t.Helper()
	for _, e := range b.quarantined() {
		out = append(out, e.Quarantined.Reason)
	}
	slices.Reverse(out) // the oldest first
	return out
}

func startOf(id, definition, input string, change ...func(*wire.Start)) wire.Record {
	s := wire.Start{ID: id, Source: "/shop", SagaType: definition, ReplyTo: "shop.answers", CorrelationID: "cart-9", Value: []byte(input)}
	for _, c := range change {
		c(&s)
	}
	return s.Record("skald.starts", []byte("cart-9"))
}

func header(t *testing.T, r wire.Record, name string) string {
	t.Helper()
	v, _ := r.Header(name)
	return v
}

func TestStartRecord_StartsAndIsAnswered(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	input := "{\"id\":\"A-1\",  \"count\":1, \"note\":\"\\u00e9 1e400\"}"
	offset := b.starts.send(startOf("s-1", "order", input, func(s *wire.Start) { s.Labels = map[string]string{"channel": "web"}; s.SagaVersion = 1 }))
	b.read()
	sagas := b.sagas()
	require.Len(t, sagas, 1)
	require.Equal(t, input, string(sagas[0].Input), "byte for byte (S22)")
	require.Equal(t, "A-1", sagas[0].Key)
	require.Equal(t, map[string]string{"channel": "web"}, sagas[0].Labels)
	require.Equal(t, 1, b.broker.marks()[offset])
	answers := b.answers()
	require.Len(t, answers, 1)
	a := answers[0]
	require.Equal(t, "shop.answers", a.Topic)
	require.Equal(t, "cart-9", string(a.Key))
	require.Equal(t, "s-1", header(t, a, wire.HeaderCausationID))
	require.Equal(t, "cart-9", header(t, a, wire.HeaderCorrelationID))
	require.Equal(t, "accepted", header(t, a, wire.HeaderSagaOutcome))
	require.Equal(t, sagas[0].ID.String(), header(t, a, wire.HeaderSubject))
	require.Equal(t, "/skald/test", header(t, a, wire.HeaderSource))
	var body struct{ ID, Saga, Key, Status string }
	require.NoError(t, json.Unmarshal(a.Value, &body))
	require.Equal(t, sagas[0].ID.String(), body.ID)
	require.Equal(t, "running", body.Status)
	require.Empty(t, b.quarantined())
}

// S2: the same ce_id again is the same saga, and is answered; another body under it is not.
func TestStartRecord_Duplicates(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	one := startOf("s-1", "errand", `{}`)
	offsets := []int64{b.starts.send(one), b.starts.send(one), b.starts.send(startOf("s-1", "errand", `{"other":1}`))}
	b.read()
	b.starts.send(one)
	b.read()
	require.Len(t, b.sagas(), 1)
	var got []string
	for _, a := range b.answers() {
		got = append(got, header(t, a, wire.HeaderSagaOutcome)+" "+header(t, a, wire.HeaderSubject)+header(t, a, wire.HeaderSagaCode))
	}
	id := "accepted " + b.sagas()[0].ID.String()
	require.ElementsMatch(t, []string{id, id, id, "refused idempotency_key_reused"}, got)
	require.Equal(t, []string{"start_idempotency_key_reused"}, b.reasons())
	for _, o := range offsets {
		require.Equal(t, 1, b.broker.marks()[o])
	}
	// An Idempotency-Key of a request is another key.
	req := errand()
	req.IdempotencyKey = "s-1"
	b.start(req)
	require.Len(t, b.sagas(), 2)
}

// S23: the tenant is the topic's. A header that says another is one that nobody reads.
func TestStartRecord_TheTopicIsTheTenant(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	_, _, err := b.engine.PutDefinition(t.Context(), "acme", []byte(errandDefinition), true, "tester", "r-0")
	require.NoError(t, err)
	s := wire.Start{ID: "s-1", Source: "/shop", SagaType: "errand", ReplyTo: "shop.answers", Value: []byte(`{}`)}
	claim := func(r wire.Record, tenant string) wire.Record {
		r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaTenant, Value: []byte(tenant)})
		return r
	}
	b.starts.send(claim(s.Record("orders.starts", nil), tenant))
	b.starts.send(claim(s.Record("skald.starts", nil), "acme")) // the same id, and another tenant's
	b.read()
	tenants := map[string]int{}
	for _, in := range b.sagas() {
		tenants[in.Tenant]++
	}
	require.Equal(t, map[string]int{"acme": 1, tenant: 1}, tenants)
	answers := b.answers()
	require.Len(t, answers, 1, "shop.answers is on the list of one tenant alone")
	b.starts.send(s.Record("nobodys.starts", nil))
	b.read()
	require.Len(t, b.sagas(), 2)
	require.Equal(t, []string{"start_unreadable"}, b.reasons(), "a topic of nobody starts nothing")
}

func TestStartRecord_RefusedOnesAreKeptAndAnswered(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	b.start(order("A-1", 1))
	big := fmt.Sprintf(`{"x":%q}`, make([]byte, saga.MaxInputBytes))
	records := []struct {
		code   string
		record wire.Record
	}{
		{"unreadable", startOf("", "errand", `{}`)},
		{"unreadable", startOf("s-2", "errand", `{`)},
		{"unreadable", func() wire.Record { r := startOf("s-3", "errand", `{}`); r.Headers = nil; return r }()},
		{"unknown_saga", startOf("s-4", "nothing", `{}`)},
		{"unknown_saga", startOf("s-5", "errand", `{}`, func(s *wire.Start) { s.SagaVersion = 9 })},
		{"invalid", startOf("s-6", "order", `{"id":"A-2","count":0}`)},
		{"too_large", startOf("s-7", "errand", big)},
		{"key_in_use", startOf("s-8", "order", `{"id":"A-1","count":2}`)},
		{"invalid", startOf("s-9", "order", `{"id":"A-3","count":1}`, func(s *wire.Start) { s.Key = "own" })},
	}
	var want []string
	var offsets []int64
	for _, r := range records {
		offsets = append(offsets, b.starts.send(r.record))
		want = append(want, "start_"+r.code)
	}
	good := b.starts.send(startOf("s-good", "errand", `{}`))
	b.read()
	require.ElementsMatch(t, want, b.reasons())
	require.Len(t, b.sagas(), 2, "a refused one delays nobody (L5)")
	for _, o := range append(offsets, good) {
		require.Equal(t, 1, b.broker.marks()[o], "offset %d", o)
	}
	codes := map[string]int{}
	for _, a := range b.answers() {
		if header(t, a, wire.HeaderSagaOutcome) == "refused" {
			codes[header(t, a, wire.HeaderSagaCode)]++
			require.NotEmpty(t, header(t, a, wire.HeaderSagaMessage))
		}
	}
	require.Equal(t, map[string]int{"unreadable": 2, "unknown_saga": 2, "invalid": 2, "too_large": 1, "key_in_use": 1}, codes,
		"the one without headers says nowhere where to answer")
	for _, e := range b.quarantined() {
		require.Equal(t, tenant, e.Tenant)
		require.Equal(t, "skald.starts", e.Topic)
	}
}

// An answer goes nowhere but to the topics on the tenant's list; the saga starts all the same.
func TestStartRecord_AnswersGoToListedTopicsAlone(t *testing.T) {
	t.Parallel()
	seen := &stats{}
	b := setupStarts(t, func(c *orchestrator.Config) { c.Observer = seen })
	for i, topic := range []string{"skald.replies", "acme.answers", "orders.commands", "shop.answers"} {
		b.starts.send(startOf(fmt.Sprintf("s-%d", i), "errand", `{}`, func(s *wire.Start) { s.ReplyTo = topic }))
	}
	b.starts.send(startOf("s-9", "errand", `{}`, func(s *wire.Start) { s.ReplyTo = "" }))
	b.starts.send(startOf("s-10", "nothing", `{}`, func(s *wire.Start) { s.ReplyTo = "secret" }))
	b.read()
	require.Len(t, b.sagas(), 5)
	answers := b.answers()
	require.Len(t, answers, 1)
	require.Equal(t, "shop.answers", answers[0].Topic)
	require.Equal(t, orchestrator.OutsideStarts{Accepted: 5, Refused: 1, Withheld: 4}, seen.starts)
}

type stats struct {
	counting
	starts orchestrator.OutsideStarts
}

func (s *stats) Committed(b orchestrator.BatchStats, _ []saga.Instance) {
	s.starts.Accepted += b.Starts.Accepted
	s.starts.Refused += b.Starts.Refused
	s.starts.Withheld += b.Starts.Withheld
}

// S18: a replica that dies between the commit and the mark leaves a record that is read again, and starts nothing more.
func TestStartRecord_KilledBetweenCommitAndMark(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	one, bad := startOf("s-1", "order", `{"id":"A-1","count":1}`), startOf("s-2", "nothing", `{}`)
	b.starts.send(one)
	b.starts.send(bad)
	b.store.committed = func(orchestrator.Batch) error { panic(orchestrator.Kill{}) }
	require.Panics(t, b.read)
	require.Len(t, b.sagas(), 1, "it was committed")
	require.Empty(t, b.broker.marks(), "and nothing was marked")
	b.store.committed = nil
	b.engine = b.replica(func(c *orchestrator.Config) { c.Starts, c.StartRules = b.starts, startRules() })
	b.starts.next = 0
	offsets := []int64{b.starts.send(one), b.starts.send(bad)}
	b.read()
	require.Len(t, b.sagas(), 1)
	require.Len(t, b.quarantined(), 1, "one record is one row, however often it is read")
	for _, o := range offsets {
		require.Equal(t, 1, b.broker.marks()[o])
	}
}

// S18: what a failed transaction was to hold is not marked, and comes with the next.
func TestStartRecord_AFailingDatabaseLosesNothing(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	fails := 3
	b.store.commit = func(orchestrator.Batch) error {
		if fails--; fails >= 0 {
			require.Empty(t, b.broker.marks())
			return errors.New("connection lost")
		}
		return nil
	}
	b.starts.send(startOf("s-1", "errand", `{}`))
	b.starts.send(startOf("s-2", "nothing", `{}`))
	b.read()
	require.Len(t, b.sagas(), 1)
	require.Len(t, b.quarantined(), 1)
	require.Len(t, b.broker.marks(), 2)
}

// L5: what the store refuses goes to quarantine alone.
func TestStartRecord_PoisonDelaysOnlyItself(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, w := range batch.Writes {
			if string(w.Next.Input) == `{"poison":true}` {
				return fmt.Errorf("22P05: %w", orchestrator.ErrData)
			}
		}
		return nil
	}
	for i := range 7 {
		input := `{}`
		if i == 3 {
			input = `{"poison":true}`
		}
		b.starts.send(startOf(fmt.Sprintf("s-%d", i), "errand", input))
	}
	b.read()
	require.Len(t, b.sagas(), 6)
	require.Equal(t, []string{"start_poison"}, b.reasons())
	require.Len(t, b.broker.marks(), 7)
}

// A full outbox stops the reading: records wait where they are (L7).
func TestStartRecord_WaitsForRoom(t *testing.T) {
	t.Parallel()
	b := setupStarts(t, func(c *orchestrator.Config) { c.IntakeStarts = 8 })
	for i := range 40 {
		b.starts.send(startOf(fmt.Sprintf("s-%d", i), "errand", `{}`))
	}
	most, turning := 0, false
	b.machine.during = func(time.Duration) { // the committer, while the reader waits
		if turning {
			return
		}
		turning = true
		most = max(most, b.engine.Intake())
		b.turn()
		turning = false
	}
	b.read()
	require.Len(t, b.sagas(), 40)
	require.LessOrEqual(t, most, 2, "a quarter of the intake is for records; the rest is for requests")
	require.Len(t, b.broker.marks(), 40)
}

// A key that somebody's transaction holds delays its own start alone, which comes again.
func TestStartRecord_AHeldKeyComesAgain(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	held := 4
	b.store.begin = func(n orchestrator.Need) error {
		for _, cl := range n.Claims {
			if cl.Key == "A-held" {
				if held--; held >= 0 {
					return orchestrator.ErrClaimTimeout
				}
			}
		}
		return nil
	}
	b.starts.send(startOf("s-1", "order", `{"id":"A-held","count":1}`))
	free := b.starts.send(startOf("s-2", "order", `{"id":"A-free","count":1}`))
	b.read()
	require.Equal(t, []int64{free}, slices.Collect(maps.Keys(b.broker.marks())))
	for i := range 3 {
		b.starts.send(startOf(fmt.Sprintf("other-%d", i), "errand", `{}`))
		b.read()
	}
	require.Len(t, b.sagas(), 5)
	require.Len(t, b.broker.marks(), 5)
	require.Empty(t, b.quarantined())
}

// A refused start is redriven once its cause is mended, under its own id; an unmended one stays.
func TestStartRecord_Redrive(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	const later = `
saga: later
version: 1
steps:
  - {name: run, participant: runner, command: Run.v1, timeout: 5s, compensation: {command: Unrun.v1}}
`
	record := startOf("s-1", "later", `{"n":1}`)
	b.starts.send(record)
	b.read()
	b.answers()
	entry := b.quarantined()[0]
	require.Equal(t, "start_unknown_saga", entry.Quarantined.Reason)
	again := b.redriveStart(entry.ID)
	require.Equal(t, orchestrator.QuarantineAgain, again.Outcome)
	require.Equal(t, "start_unknown_saga", again.Cause.Reason)

	_, _, err := b.engine.PutDefinition(t.Context(), tenant, []byte(later), true, "tester", "r-0")
	require.NoError(t, err)
	rehearsed, _, err := b.engine.RehearseQuarantined(t.Context(), redrive(entry.ID))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, rehearsed.Outcome)
	require.Empty(t, b.sagas(), "a rehearsal starts nothing")
	done := b.redriveStart(entry.ID)
	require.Equal(t, orchestrator.QuarantineApplied, done.Outcome)
	require.Len(t, b.sagas(), 1)
	require.Equal(t, b.sagas()[0].ID, done.Saga)
	require.Equal(t, `{"n":1}`, string(b.sagas()[0].Input))
	answers := b.answers()
	require.Len(t, answers, 1, "whoever asked learns of it")
	require.Equal(t, "accepted", header(t, answers[0], wire.HeaderSagaOutcome))
	require.Equal(t, orchestrator.QuarantineRedriven, b.quarantined()[0].Handling.State)

	b.starts.send(record) // sent once more: the same saga (S2)
	b.read()
	require.Len(t, b.sagas(), 1)
	require.Len(t, b.quarantined(), 1)
}

// redriveStart redrives a record by hand: its start takes a turn, and what is noted about it another.
func (b *startsBundle) redriveStart(id int64) orchestrator.QuarantineResult {
	b.t.Helper()
	var got *orchestrator.QuarantineResult
	require.NoError(b.t, b.engine.OfferHandled(b.t.Context(), redrive(id), func(r orchestrator.QuarantineResult, err error) {
		require.NoError(b.t, err)
		got = &r
	}))
	for got == nil && b.turn() > 0 {
	}
	require.NotNil(b.t, got)
	return *got
}

// A key in use is mended when the other saga has ended; until then the redrive says so, and keeps nothing under the id.
func TestStartRecord_RedriveOfAKeyInUse(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	first := b.start(order("A-1", 1))
	b.starts.send(startOf("s-1", "order", `{"id":"A-1","count":2}`))
	b.read()
	entry := b.quarantined()[0]
	require.Equal(t, "start_key_in_use", entry.Quarantined.Reason)
	require.Equal(t, orchestrator.QuarantineAgain, b.redriveStart(entry.ID).Outcome)
	b.act(action(first, saga.ActionAbandon))
	done := b.redriveStart(entry.ID)
	require.Equal(t, orchestrator.QuarantineApplied, done.Outcome)
	require.NotEqual(t, first, done.Saga)
}

// A topic that nobody has any more, or somebody else, is said to be that.
func TestStartRecord_RedriveAfterTheMappingChanged(t *testing.T) {
	t.Parallel()
	b := setupStarts(t)
	b.starts.send(startOf("s-1", "nothing", `{}`))
	b.read()
	entry := b.quarantined()[0]
	for code, rules := range map[string]orchestrator.StartRules{
		orchestrator.QuarantineNotMapped:    {},
		orchestrator.QuarantineOtherTenants: {Tenants: map[string]string{"skald.starts": "acme"}},
	} {
		engine := b.replica(func(c *orchestrator.Config) { c.StartRules = rules })
		_, _, err := engine.RehearseQuarantined(t.Context(), redrive(entry.ID))
		var refused *orchestrator.QuarantineRefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, code, refused.Code)
		require.Equal(t, []string{"discard"}, refused.Possible)
	}
}

// fakeRequests hands out one request once.
type fakeRequests struct {
	asked    []orchestrator.StartAsked
	answered []orchestrator.StartAnswered
	stop     func()
}

func (r *fakeRequests) TakeStartRequests(context.Context, int, time.Duration) ([]orchestrator.StartAsked, error) {
	out := r.asked
	r.asked = nil
	return out, nil
}

func (r *fakeRequests) AnswerStartRequests(_ context.Context, answers []orchestrator.StartAnswered) error {
	r.answered = append(r.answered, answers...)
	return nil
}

func (r *fakeRequests) AwaitStartRequests(context.Context, time.Duration) error {
	r.stop()
	return nil
}

// A request that is judged only once its lease is over is left: whoever has it now may have refused it, and told so.
func TestStartRequest_IsJudgedWithinItsLeaseAlone(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"in time": false, "too late": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := &fakeRequests{}
			b := setupStarts(t, func(c *orchestrator.Config) { c.StartRequests = requests })
			until := b.machine.now.Add(15 * time.Second)
			for i, definition := range []string{"errand", "nothing"} {
				requests.asked = append(requests.asked, orchestrator.StartAsked{
					Seq: int64(i + 1), Until: until, Tenant: tenant, ID: fmt.Sprint(i), Role: "shop", At: b.machine.now, Saga: definition, Input: json.RawMessage(`{}`),
				})
			}
			turning := false
			b.machine.during = func(time.Duration) {
				if turning {
					return
				}
				turning = true
				if late {
					b.machine.now = until
				}
				b.turn()
				turning = false
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			requests.stop = cancel
			b.workers["startTaker"](ctx)
			if late {
				require.Empty(t, b.sagas())
				require.Empty(t, b.quarantined())
				require.Empty(t, requests.answered)
				return
			}
			require.Len(t, b.sagas(), 1)
			require.Equal(t, []string{"start_unknown_saga"}, b.reasons())
			require.Len(t, requests.answered, 2)
			for _, a := range requests.answered {
				require.Equal(t, until, a.Until)
				require.Equal(t, a.Seq == 1, !a.Saga.IsZero())
			}
		})
	}
}
