package stored

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// TenantDefault is the operator's own tenant. Quarantined records whose tenant is not known are its to see.
const TenantDefault = "default"

// Causes are the causes that a row keeps. A command is published without its saga's row being written, so `unpublished` is
// kept as `reply`, and the two are told apart by the outbox when they are asked for.
func Causes(blocked []saga.BlockedOn) []string {
	causes := make([]string, 0, 2)
	for _, b := range blocked {
		c := b.Cause
		if c == saga.CauseUnpublished {
			c = saga.CauseReply
		}
		causes = append(causes, string(c))
	}
	slices.Sort(causes)
	return slices.Compact(causes)
}

// Waits are whom a row says that its saga waits for: a cause and a participant, such as `reply payments`, once for each step. Causes
// that are about nobody are left out; `unpublished` is kept as `reply`. Limits are counted by them: `reply` and `backoff` name the
// commands that are out (a back-off that is held is both), `limit` the steps that wait for one, and `unbegun` a saga of which no
// command was created yet.
func Waits(in *saga.Instance, blocked []saga.BlockedOn) []string {
	waits := make([]string, 0, 2)
	for _, b := range blocked {
		if b.Participant == "" {
			continue
		}
		c := b.Cause
		if c == saga.CauseUnpublished {
			c = saga.CauseReply
		}
		waits = append(waits, string(c)+" "+b.Participant)
		if b.Out {
			waits = append(waits, string(saga.CauseBackoff)+" "+b.Participant)
		}
		if b.Limit {
			waits = append(waits, orchestrator.WaitsLimit+" "+b.Participant)
		}
	}
	if len(blocked) > 0 && !in.Begun() {
		waits = append(waits, orchestrator.WaitsUnbegun)
	}
	slices.Sort(waits)
	return waits
}

// AddWaits counts what n sagas wait for; one that waits for a participant twice in the same way counts once.
func AddWaits(stats *orchestrator.Stats, waits []string, n int64) {
	limited := false
	for _, wait := range slices.Compact(slices.Clone(waits)) {
		cause, participant, about := strings.Cut(wait, " ")
		if !about {
			continue
		}
		p := stats.ByParticipant[participant]
		switch cause {
		case string(saga.CauseReply), string(saga.CauseUnpublished):
			p.InFlight += n
		case string(saga.CauseBackoff):
			p.BackingOff += n
		case string(saga.CauseHold):
			p.Held += n
		case string(saga.CauseAttention):
			p.Stuck += n
		case orchestrator.WaitsLimit:
			p.Limited += n
			limited = true
		}
		stats.ByParticipant[participant] = p
	}
	if limited {
		stats.Limited += n
	}
}

// Attention lists the reasons of the saga's attention, each once.
func Attention(in *saga.Instance) []string {
	reasons := make([]string, 0, len(in.Attention))
	for _, a := range in.Attention {
		reasons = append(reasons, string(a.Reason))
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// ValidText reports whether Postgres can keep s as text: UTF-8 without a zero character.
func ValidText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Formats of JSON and of anything else that is kept byte for byte (S22).
//
//	1 (2026-11): the bytes as they are.
const plainFormat = 1

// EncodePlain keeps bytes as they are; nil stays nil.
func EncodePlain(v []byte) []byte {
	if v == nil {
		return nil
	}
	return append(append(make([]byte, 0, len(v)+1), plainFormat), v...)
}

// DecodePlain reads what EncodePlain wrote. The answer shares memory with b.
func DecodePlain(b []byte) (json.RawMessage, error) {
	if b == nil {
		return nil, nil
	}
	r := newReader("bytes", b, plainFormat)
	return r.b, r.err
}

// QuarantineSize is how many bytes of the quota a record takes.
func QuarantineSize(q *orchestrator.Quarantined) int64 {
	n := int64(len(q.Key) + len(q.Value))
	for _, h := range q.Headers {
		n += int64(len(h.Key) + len(h.Value))
	}
	return n
}

// Verdict is the verdict of a saga that has ended; empty: it has not.
func Verdict(in *saga.Instance) string {
	if in.Certificate == nil {
		return ""
	}
	return string(in.Certificate.Verdict)
}
