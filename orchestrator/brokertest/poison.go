package brokertest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// PoisonCase is a way to spoil a good Reply to SagaID(1), and what it is then quarantined for.
type PoisonCase struct {
	Name   string
	Reason string // of orchestrator.Quarantined
	Known  bool   // its token proves saga and tenant
	Spoil  func(r *wire.Record)
}

// The codes of orchestrator.Quarantined.Reason.
const (
	unreadable = "unreadable"
	noOutcome  = "no_outcome"
	badToken   = "bad_token"
	mismatch   = "mismatch"
)

// PoisonCases are replies that can never be applied.
func PoisonCases() []PoisonCase {
	sagaOf := func(n int) string { return SagaID(n).String() }
	set := func(key, value string) func(r *wire.Record) {
		return func(r *wire.Record) { setHeader(r, key, value) }
	}
	drop := func(key string) func(r *wire.Record) {
		return func(r *wire.Record) {
			r.Headers = slices.DeleteFunc(r.Headers, func(h wire.Header) bool { return h.Key == key })
		}
	}
	add := func(key string, value []byte) func(r *wire.Record) {
		return func(r *wire.Record) { r.Headers = append(r.Headers, wire.Header{Key: key, Value: value}) }
	}
	value := func(text string) func(r *wire.Record) { return func(r *wire.Record) { r.Value = []byte(text) } }
	return []PoisonCase{
		{"NoOutcome", noOutcome, true, drop(wire.HeaderSagaOutcome)},
		{"EmptyOutcome", noOutcome, true, set(wire.HeaderSagaOutcome, "")},
		{"UnknownOutcome", unreadable, true, set(wire.HeaderSagaOutcome, "maybe")},
		{"UnknownVerb", unreadable, false, set(wire.HeaderSagaVerb, "undo")},
		{"NotJSON", unreadable, true, value(`{"ok":`)},
		{"ValueNotUTF8", unreadable, true, value("\"\xff\"")},
		{"HeaderNotUTF8", unreadable, true, add(wire.HeaderSagaMessage, []byte{0xff, 0xfe})},
		{"HeaderTwice", unreadable, true, add(wire.HeaderSagaAttempt, []byte("2"))},
		{"NoHeadersAtAll", noOutcome, false, func(r *wire.Record) { r.Headers = nil }},
		{"WrongToken", badToken, false, func(r *wire.Record) { setHeader(r, wire.HeaderSagaToken, tokenOf("not-the-right-secret", SagaID(1))) }},
		{"TokenOfAnotherSaga", badToken, false, func(r *wire.Record) { setHeader(r, wire.HeaderSagaToken, tokenOf(Secret, SagaID(2))) }},
		{"OtherParticipant", badToken, false, set(wire.HeaderType, "payments.ReserveItems.v1.reply")},
		{"OtherTenant", badToken, false, set(wire.HeaderSagaTenant, "acme")},
		{"NoToken", badToken, false, drop(wire.HeaderSagaToken)},
		{"OtherKey", mismatch, true, func(r *wire.Record) { r.Key = []byte(sagaOf(2)) }},
		{"NoKey", mismatch, true, func(r *wire.Record) { r.Key = nil }},
		{"OtherStep", mismatch, false, set(wire.HeaderSagaStep, "charge-payment")},
		{"OtherEdition", mismatch, false, set(wire.HeaderSagaEdition, "1")},
		{"OtherCommand", mismatch, true, func(r *wire.Record) { setHeader(r, wire.HeaderCausationID, wire.RandomID().String()) }},
		{"OtherSaga", mismatch, false, func(r *wire.Record) {
			setHeader(r, wire.HeaderSubject, sagaOf(2))
			r.Key = []byte(sagaOf(2))
		}},
	}
}

// Secret is that of the key that a fixture's Keys sign with; its id is k1.
const Secret = "0123456789abcdef0123456789abcdef"

// Keys are a fixture's Keys.
func Keys(t testing.TB) *wire.Keyring {
	t.Helper()
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte(Secret)})
	require.NoError(t, err)
	return keys
}

func tokenOf(secret string, id saga.ID) string {
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte(secret)})
	if err != nil {
		panic(err)
	}
	return Command(keys, id).Token
}

func setHeader(r *wire.Record, key, value string) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
		}
	}
}

// Poisoned is a record that a case has spoiled.
type Poisoned struct {
	PoisonCase
	Record wire.Record
}

// Matches reports whether a delivery is of this record, by what is not redacted.
func (p Poisoned) Matches(d orchestrator.Delivery) bool {
	if d.Poison == nil || d.Poison.Reason != p.Reason || !bytes.Equal(d.Poison.Key, p.Record.Key) || len(d.Poison.Headers) != len(p.Record.Headers) {
		return false
	}
	for i, h := range d.Poison.Headers {
		want := p.Record.Headers[i]
		if h.Key != want.Key || h.Key != wire.HeaderSagaToken && !bytes.Equal(h.Value, want.Value) {
			return false
		}
	}
	return bytes.Equal(d.Poison.Value, p.Record.Value)
}

// Check checks that a delivery is fit for quarantine: the record byte for byte but for its token, and nothing claimed that nothing
// proves.
func (p Poisoned) Check(t testing.TB, d orchestrator.Delivery) {
	t.Helper()
	require.NotNil(t, d.Poison, "%s was let through", p.Name)
	require.Equal(t, p.Reason, d.Poison.Reason, "%s: %s", p.Name, d.Poison.Message)
	require.NotEmpty(t, d.Poison.Message)
	wantSaga, wantTenant := saga.ID{}, ""
	if p.Known {
		wantSaga, wantTenant = SagaID(1), "default"
	}
	require.Equal(t, wantSaga, d.Poison.Saga, "%s: a claim that nothing proves is not taken for true", p.Name)
	require.Equal(t, wantTenant, d.Poison.Tenant)
	require.Equal(t, string(p.Record.Key), string(d.Poison.Key))
	require.Equal(t, string(p.Record.Value), string(d.Poison.Value))
	require.Len(t, d.Poison.Headers, len(p.Record.Headers))
	for i, h := range d.Poison.Headers {
		require.Equal(t, p.Record.Headers[i].Key, h.Key)
		if h.Key == wire.HeaderSagaToken {
			require.Equal(t, "redacted", string(h.Value))
		} else {
			require.Equal(t, string(p.Record.Headers[i].Value), string(h.Value))
		}
	}
}
