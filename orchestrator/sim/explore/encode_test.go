package explore

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// TestCodec_KnowsEveryField wants every field of an instance to be either kept by a state or left out of it on purpose: a new
// field that nobody thought of would make two different states one.
func TestCodec_KnowsEveryField(t *testing.T) {
	t.Parallel()
	const (
		kept    = "kept"
		theSame = "the same in every state of a world"
		time    = "a time, or whether a timer runs, which the status says"
		counter = "a counter that no rule compares in a small world"
		text    = "for people alone"
		derived = "worked out from the rest"
	)
	for _, c := range []struct {
		of     any
		fields map[string]string
	}{
		{saga.Instance{}, map[string]string{
			"ID": theSame, "Tenant": theSame, "Saga": theSame, "Version": theSame, "Key": theSame, "Labels": theSame, "Link": theSame,
			"Input": theSame, "Status": kept, "CreatedAt": time, "UpdatedAt": time, "EndedAt": time, "Revision": counter, "Seq": counter,
			"EventSeq": counter, "Ignored": counter, "Output": text, "Pause": kept, "Aborting": kept, "Abort": derived, "CancelBy": kept,
			"Deadline": kept, "DeadlinePassed": kept, "Steps": kept, "Attention": kept, "Certificate": derived,
			"Broken": "a violation at once", "ClockAt": time, "BlankedAt": "nobody blanks in a world",
		}},
		{saga.StepState{}, map[string]string{
			"Status": kept, "Effect": kept, "Forward": kept, "Backward": kept, "Output": kept, "Error": "its code, where a rule reads it",
			"Why": kept, "BadOutput": kept, "ByOperator": kept, "Disputed": kept, "Anomaly": kept, "GraceUntil": time,
			"StartedAt": time, "EndedAt": time, "LimitedAt": "no world has limits",
		}},
		{saga.Leg{}, map[string]string{
			"Created": kept, "Payload": kept, "Edition": kept, "Attempt": "the newest of several, or the only one",
			"Sends": "up to one more than the budget", "Attempts": "up to one more than the budget",
			"Refused": "whether all, or all but the newest", "Probing": kept, "SentAt": time, "ExpiresAt": time, "Heartbeat": time,
			"RetryAt": time, "Answer": kept, "AnswerCode": "whether nothing_to_undo, all that a rule reads", "Contradicted": kept,
			"Batch": text, "Index": text, "Version": "no world rebinds; what a rebind does at once is asked about",
		}},
		{saga.Pause{}, map[string]string{"Since": time, "By": text, "Reason": text}},
		{saga.Cancel{}, map[string]string{"By": text, "Reason": text}},
		{saga.Attention{}, map[string]string{"Reason": kept, "Step": kept, "Since": time}},
		{saga.Abort{}, map[string]string{
			"Reason": text, "Step": text, "Code": text, "Message": text, "By": text, "At": time, "GraceUntil": time,
		}},
		{saga.Certificate{}, map[string]string{"Verdict": derived, "Effects": derived, "Residue": derived, "Amended": kept}},
	} {
		is := reflect.TypeOf(c.of)
		for i := range is.NumField() {
			require.NotEmpty(t, c.fields[is.Field(i).Name], "%s.%s: does a state keep it?", is, is.Field(i).Name)
		}
		require.Len(t, c.fields, is.NumField(), is)
	}
}

// TestState_RoundTrip reads states as they were written.
func TestState_RoundTrip(t *testing.T) {
	t.Parallel()
	s := state{instance: 77, rows: [maxSteps]uint16{1, 513}, doubt: 3, held: true, left: Budget{Crash: 1, Duplicate: 2, Hold: 1}.left()}
	s.done, s.undone, s.void = [maxSteps]uint8{1, 2}, [maxSteps]uint8{0, 8}, [maxSteps]uint8{4, 0}
	s.add(message{place: opened, step: 1, verb: probe, edition: 3, attempt: 2, outcome: 5, code: 31, value: 30})
	s.add(message{step: 1, attempt: 1})
	var back state
	back.read(s.append(nil, 2), 2)
	require.Equal(t, s, back)
	other := back
	other.add(message{step: 0, attempt: 1})
	require.NotEqual(t, digestOf(s.append(nil, 2)), digestOf(other.append(nil, 2)))
}
