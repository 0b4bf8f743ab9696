package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// says is a reply to c in the participant's own words.
func says(c *wire.Command, outcome wire.Outcome, code, value string) wire.Reply {
	r := wire.ReplyTo(c, wire.RandomID(), time.Now())
	r.Outcome, r.Code, r.Value = outcome, code, []byte(value)
	return r
}

// row is what the barrier holds for the command's step.
func (w *world) row(c *wire.Command, verb wire.Verb) (participants.Row, bool) {
	row, ok := w.barrier.Snapshot()[participants.RowKey{SagaID: c.SagaID, Step: c.Step, Verb: verb}]
	return row, ok
}

// forget removes a row.
func (w *world) forget(c *wire.Command, verb wire.Verb) {
	rows := w.barrier.Snapshot()
	delete(rows, participants.RowKey{SagaID: c.SagaID, Step: c.Step, Verb: verb})
	w.barrier.Restore(rows)
}

// header sets a header of each reply, where there is one.
func sets(name string, value func(*wire.Command) string) func(*wire.Command, *wire.Record) {
	return func(c *wire.Command, r *wire.Record) { put(name, value(c))(r) }
}

func constantly(text string) func(*wire.Command) string {
	return func(*wire.Command) string { return text }
}

// lenient reads a record that is no command where its only problem is the one named.
func lenient(header string, mend func(*wire.Record, *wire.Command)) func(wire.Record) (wire.Command, error) {
	return func(r wire.Record) (wire.Command, error) {
		c, err := wire.DecodeCommand(r)
		var problems *wire.DecodeError
		if errors.As(err, &problems) && len(problems.Problems) == 1 && problems.Problems[0].Header == header {
			mend(&r, &c)
			return c, nil
		}
		if err == nil && c.Participant != "tester" {
			return c, errors.New("another's command")
		}
		return c, err
	}
}

func is(c *wire.Command, verb wire.Verb) bool {
	return c.Verb == verb && strings.HasPrefix(c.Name, "Do.")
}

// wrongs are participants that are right but for one thing. Each names every check that must notice it.
func wrongs() []wrong {
	return slices.Concat(wrongAnswers(), wrongBarriers(), wrongReaders(), wrongHeaders())
}

func wrongAnswers() []wrong {
	return []wrong{
		{
			name: "AnswersNothing", silent: func(*world, *wire.Command) bool { return true },
			fails: []string{"execute"},
		},
		{
			name: "FailsAlways", answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Failed, "error", ""), true
			},
			fails: []string{"execute"},
		},
		{
			name: "RefusesNothing", duringRun: func(_ *world, c *wire.Command) {
				c.Value = bytes.ReplaceAll(c.Value, []byte(`"no"`), []byte(`"ok"`))
			},
			fails: []string{"refusal", "duplicate-refused", "compensation-of-refused", "edition-over-refusal"},
		},
		{
			name: "RefusesLate", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Rejected, "too_late", ""), time.Now().After(c.Expiry)
			},
			fails: []string{"expired"},
		},
		{
			name: "RejectsUnknown", answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Rejected, "unknown_command", ""), c.Name == unknownName
			},
			fails: []string{"unknown-command"},
		},
		{
			name: "StoresUnknown", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				if c.Name == unknownName && c.Verb == wire.Execute {
					rows := w.barrier.Snapshot()
					rows[participants.RowKey{SagaID: c.SagaID, Step: c.Step, Verb: c.Verb}] = participants.Row{CommandID: c.ID, State: participants.Rejected}
					w.barrier.Restore(rows)
				}
				return wire.Reply{}, false
			},
			fails: []string{"unknown-command-unstored"},
		},
		{
			name: "ProbesUnknown", answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Failed, wire.CodeUnknownCommand, ""), c.Verb == wire.Probe
			},
			fails: []string{"probe", "probe-not-found", "probe-buries", "probe-then-edition", "probe-edition-lower", "probe-compensated"},
		},
		{
			name: "Mute", silent: func(w *world, c *wire.Command) bool { return len(w.log) > 4 },
			fails: []string{"duplicate-attempt"},
		},
	}
}

func wrongBarriers() []wrong {
	seen := func() func(w *world, c *wire.Command) bool {
		known := map[string]bool{}
		return func(_ *world, c *wire.Command) bool {
			key := fmt.Sprint(c.ID, c.Attempt)
			was := known[key]
			known[key] = true
			return was
		}
	}
	return []wrong{
		{
			name: "DropsDuplicates", silent: seen(),
			fails: []string{"duplicate", "compensation-duplicate", "crash"},
		},
		{
			name: "RunsEachAttempt", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && is(c, wire.Execute) && row.CommandID == c.ID && row.State == participants.Succeeded && c.Attempt > 1 {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"duplicate-attempt", "duplicates-at-once", "execution-late", "commands-at-once"},
		},
		{
			name: "RunsRefusedAgain", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, "no_again", ""), ok && is(c, wire.Execute) && row.State == participants.Rejected && row.CommandID == c.ID && c.Attempt > 1
			},
			fails: []string{"duplicate-refused"},
		},
		{
			name: "StoresFailed", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Failed, "flaky", ""), bytes.Contains(c.Value, []byte("flaky"))
			},
			fails: []string{"duplicate-failed"},
		},
		{
			name: "AnswersNewestAttemptsAlone", answer: func() func(*world, *wire.Command) (wire.Reply, bool) {
				newest := map[wire.ID]int{}
				return func(_ *world, c *wire.Command) (wire.Reply, bool) {
					stale := c.Attempt < newest[c.ID]
					newest[c.ID] = max(newest[c.ID], c.Attempt)
					return says(c, wire.Rejected, "stale", ""), stale
				}
			}(),
			fails: []string{"attempts-reordered", "crash"},
		},
		{
			name: "CannotUndo", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, "cannot", ""), c.Name == "Undo.v1" && ok && row.State == participants.Succeeded
			},
			fails: []string{"compensation", "compensation-duplicate", "execution-late", "commands-at-once", "compensation-edition", "compensation-edition-lower"},
		},
		{
			name: "UndoesTwice", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Compensate); ok && c.Name == "Undo.v1" && row.CommandID == c.ID && row.Code == "" {
					w.forget(c, wire.Compensate)
				}
			},
			fails: []string{"compensation-duplicate"},
		},
		{
			name: "ForgetsWhatWasUndone", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				_, ok := w.row(c, wire.Compensate)
				return says(c, wire.Rejected, wire.CodeAlreadyCompensated, ""), ok && is(c, wire.Execute)
			},
			fails: []string{"execution-late", "commands-at-once"},
		},
		{
			name: "FailsWithNothingToUndo", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Failed, "error", ""), c.Name == "Undo.v1" && (!ok || row.State != participants.Succeeded)
			},
			fails: []string{"compensation-first", "execution-after-compensation", "compensation-of-refused", "probe-compensated"},
		},
		{
			name: "NothingToUndoIsNotStored", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				_, ok := w.row(c, wire.Compensate)
				return says(c, wire.Rejected, wire.CodeAlreadyCompensated, ""), c.Name == "Undo.v1" && ok && c.Attempt == 2
			},
			fails: []string{"compensation-duplicate", "compensation-first-duplicate"},
		},
		{
			name: "NoTombstone", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && row.State == participants.CompensateTombstone {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"execution-after-compensation", "probe-compensated"},
		},
		{
			name: "CompensatesWhatWasRefused", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Succeeded, "", `{}`), c.Name == "Undo.v1" && ok && row.State == participants.Rejected
			},
			fails: []string{"compensation-of-refused"},
		},
		{
			name: "CompensatesFirst", order: func(records []wire.Record) []wire.Record {
				if v, _ := records[len(records)/2].Header(wire.HeaderSagaVerb); v == "compensate" && len(records) > 1 {
					slices.Reverse(records[:2])
				}
				return records
			},
			fails: []string{"commands-at-once"},
		},
		{
			name: "RefusesForGood", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, "no", ""), ok && is(c, wire.Execute) && row.State == participants.Rejected && row.Edition < c.Edition
			},
			fails: []string{"edition-over-refusal"},
		},
		{
			name: "RunsEachEdition", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && is(c, wire.Execute) && row.State == participants.Succeeded && row.Edition < c.Edition {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"edition-over-success"},
		},
		{
			name: "RunsLowerEditions", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && is(c, wire.Execute) && row.State == participants.Succeeded && row.Edition > c.Edition {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"edition-lower"},
		},
		{
			name: "UndoesEachEdition", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Compensate); ok && c.Name == "Undo.v1" && row.Edition < c.Edition {
					w.forget(c, wire.Compensate)
				}
			},
			fails: []string{"compensation-edition"},
		},
		{
			name: "UndoesLowerEditions", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Compensate); ok && c.Name == "Undo.v1" && row.Edition > c.Edition {
					w.forget(c, wire.Compensate)
				}
			},
			fails: []string{"compensation-edition-lower"},
		},
		{
			name: "ProbeRunsAgain", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Succeeded, "", `{"done":0}`), c.Verb == wire.Probe && ok && row.State == participants.Succeeded && row.Edition == c.Edition
			},
			fails: []string{"probe"},
		},
		{
			name: "ProbeCannotTell", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				_, ok := w.row(c, wire.Execute)
				if c.Verb == wire.Probe && !ok {
					w.right(w.participant, c) // it is buried, and yet:
					return says(c, wire.Unknown, "", ""), true
				}
				return wire.Reply{}, false
			},
			fails: []string{"probe-not-found"},
		},
		{
			name: "ProbeBuriesNothing", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && row.State == participants.ProbeTombstone {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"probe-buries"},
		},
		{
			name: "ProbeBuriesEachEdition", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, wire.CodeNotFound, ""), is(c, wire.Execute) && ok && row.State == participants.ProbeTombstone
			},
			fails: []string{"probe-then-edition"},
		},
		{
			name: "ProbeMixesEditions", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Succeeded, "", string(row.Output)), c.Verb == wire.Probe && ok && row.State == participants.Succeeded
			},
			fails: []string{"probe-edition-lower"},
		},
		{
			name: "ProbeMissesTombstones", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, wire.CodeNotFound, ""), c.Verb == wire.Probe && ok && row.State == participants.CompensateTombstone
			},
			fails: []string{"probe-compensated"},
		},
		{name: "CommitsOffsetsFirst", hasty: true, fails: []string{"crash"}},
		{name: "ForgetsInACrash", forgetful: true, fails: []string{"crash"}},
	}
}

func wrongReaders() []wrong {
	strict := func(header string, wrong func(string) bool) func(wire.Record) (wire.Command, error) {
		return func(r wire.Record) (wire.Command, error) {
			if value, ok := r.Header(header); ok && wrong(value) {
				return wire.Command{}, errors.New("not read")
			}
			c, err := wire.DecodeCommand(r)
			if err == nil && c.Participant != "tester" {
				err = errors.New("another's command")
			}
			return c, err
		}
	}
	nothing := func(*wire.Record, *wire.Command) {}
	return []wrong{
		{name: "RefusesUnknownHeaders", read: strict("ce_newer", func(string) bool { return true }), fails: []string{"unknown-headers"}},
		{
			name: "RefusesParameters", read: strict(wire.HeaderContentType, func(v string) bool { return v != wire.ContentType }),
			fails: []string{"content-type-parameters"},
		},
		{
			name: "ReadsUTCAlone", read: strict(wire.HeaderTime, func(v string) bool { return !strings.HasSuffix(v, "Z") }),
			fails: []string{"time-forms"},
		},
		{
			name: "ReadsTokens", read: strict(wire.HeaderSagaToken, func(v string) bool { return strings.Contains(v, " ") }),
			fails: []string{"token-opaque"},
		},
		{
			name: "MakesIDs", read: lenient(wire.HeaderID, func(_ *wire.Record, c *wire.Command) { c.ID = wire.RandomID() }),
			fails: []string{"malformed-id"},
		},
		{
			name: "RepliesAnyway", read: lenient(wire.HeaderReplyTo, func(_ *wire.Record, c *wire.Command) { c.ReplyTo = testReplies }),
			fails: []string{"malformed-replyto"},
		},
		{
			name: "NeedsNoToken", read: lenient(wire.HeaderSagaToken, nothing),
			fails: []string{"malformed-token"},
		},
		{
			name: "AnswersUnknownVerbs", read: lenient(wire.HeaderSagaVerb, func(r *wire.Record, c *wire.Command) {
				c.Verb = wire.Verb(header(r, wire.HeaderSagaVerb))
			}),
			fails: []string{"malformed-verb"},
		},
		{
			name: "ReadsAnyNumber", read: lenient(wire.HeaderSagaAttempt, func(_ *wire.Record, c *wire.Command) { c.Attempt = 1 }),
			fails: []string{"malformed-attempt"},
		},
		{
			name: "TakesTheFirstOfTwo", read: lenient(wire.HeaderSagaStep, func(r *wire.Record, c *wire.Command) {
				c.Step = header(r, wire.HeaderSagaStep)
			}),
			fails: []string{"malformed-twice"},
		},
		{name: "IgnoresKeys", read: lenient(wire.PartKey, nothing), fails: []string{"malformed-key"}},
		{
			name: "AnswersWhatIsNoJSON", read: lenient(wire.PartValue, func(r *wire.Record, c *wire.Command) {
				if len(r.Value) == 0 {
					c.ReplyTo = "nowhere" // that one it passes by
				}
			}),
			fails: []string{"malformed-value"},
		},
		{
			name: "AnswersWhatIsEmpty", read: lenient(wire.PartValue, func(r *wire.Record, c *wire.Command) {
				if len(r.Value) > 0 {
					c.ReplyTo = "nowhere"
				}
			}),
			fails: []string{"malformed-empty"},
		},
		{
			name: "AnswersForOthers", read: func(r wire.Record) (wire.Command, error) {
				c, err := wire.DecodeCommand(r)
				c.Participant = "tester"
				return c, err
			},
			fails: []string{"malformed-participant"},
		},
	}
}

// wrongHeaders change one thing of each reply.
func wrongHeaders() []wrong {
	var all []wrong
	add := func(name, check string, reply func(*wire.Command, *wire.Record)) {
		all = append(all, wrong{name: name, fails: []string{check}, reply: reply})
	}
	add("KeyedByStep", "reply-key", func(c *wire.Command, r *wire.Record) { r.Key = []byte(c.Step) })
	add("AnotherPartitioner", "reply-partition", func(_ *wire.Command, r *wire.Record) {
		r.Partition = (wire.Partition(r.Key, testPartitions) + 1) % testPartitions
	})
	add("HeaderTwice", "reply-headers", func(_ *wire.Command, r *wire.Record) {
		r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaStep, Value: []byte(step)})
	})
	add("UpperCase", "reply-headers", func(_ *wire.Command, r *wire.Record) {
		r.Headers = append(r.Headers, wire.Header{Key: "X-Trace", Value: []byte("1")})
	})
	add("NotUTF8", "reply-headers", func(_ *wire.Command, r *wire.Record) {
		r.Headers = append(r.Headers, wire.Header{Key: "x-trace", Value: []byte{0xff}})
	})
	for _, h := range []struct{ header, check, value string }{
		{wire.HeaderSpecVersion, "reply-specversion", "0.3"},
		{wire.HeaderSource, "reply-source", "tester"},
		{wire.HeaderType, "reply-type", "tester.Done.v1"},
		{wire.HeaderSubject, "reply-subject", "00000000-0000-4000-8000-000000000000"},
		{wire.HeaderSagaStep, "reply-step", "another-step"},
		{wire.HeaderSagaTenant, "reply-tenant", "default"},
		{wire.HeaderSagaEdition, "reply-edition", "9"},
		{wire.HeaderSagaToken, "reply-token", "none"},
		{wire.HeaderCausationID, "reply-causation", "00000000-0000-4000-8000-000000000000"},
		{wire.HeaderCorrelationID, "reply-correlation", "another"},
		{wire.HeaderID, "reply-id", "1"},
		{wire.HeaderTime, "reply-time", "2026-10-01 12:00:00"},
		{wire.HeaderContentType, "reply-content-type", "text/plain"},
	} {
		reply := sets(h.header, constantly(h.value))
		w := wrong{name: "Sets_" + h.header, fails: []string{h.check}, reply: reply}
		if h.check == "reply-token" {
			w.fails = []string{"token-opaque", "reply-token"}
		}
		all = append(all, w)
		if h.check != "reply-correlation" && h.check != "reply-time" { // which SHOULD be there
			gone := w
			gone.name, gone.reply = "Drops_"+h.header, func(_ *wire.Command, r *wire.Record) { drop(h.header)(r) }
			all = append(all, gone)
		}
	}
	add("OneIDForAll", "reply-id", sets(wire.HeaderID, constantly("00000000-0000-4000-8000-000000000001")))
	add("EchoesTheCommandsID", "reply-id", sets(wire.HeaderID, func(c *wire.Command) string { return c.ID.String() }))
	add("FirstAttempt", "reply-attempt", sets(wire.HeaderSagaAttempt, constantly("1")))
	add("ExecuteForAll", "reply-verb", sets(wire.HeaderSagaVerb, constantly("execute")))
	add("LocalTime", "reply-time", sets(wire.HeaderTime, constantly("2026-10-01T14:00:00+02:00")))
	add("NotJSON", "reply-value", func(_ *wire.Command, r *wire.Record) {
		if len(r.Value) > 0 {
			r.Value = append([]byte("ok: "), r.Value...)
		}
	})
	add("TooLarge", "reply-value", func(_ *wire.Command, r *wire.Record) {
		if len(r.Value) > 0 {
			r.Value, _ = json.Marshal(strings.Repeat("x", maxOutput))
		}
	})
	add("LongMessage", "reply-message", message(strings.Repeat("x", maxMessage+1)))
	add("MessageOfLines", "reply-message", message("one\ntwo"))
	add("RetryAfterInSeconds", "reply-retryafter", sets(wire.HeaderRetryAfter, constantly("1.5")))
	add("RetryAfterSuccess", "reply-retryafter", func(_ *wire.Command, r *wire.Record) {
		if header(r, wire.HeaderSagaOutcome) == "succeeded" {
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderRetryAfter, Value: []byte("1000")})
		}
	})
	all = append(all, wrong{
		name: "UnknownToUnknown", fails: []string{"unknown-command", "reply-outcome"}, reply: func(c *wire.Command, r *wire.Record) {
			if c.Name == unknownName {
				put(wire.HeaderSagaOutcome, "unknown")(r)
			}
		},
	}, wrong{
		name: "AnOutcomeOfItsOwn", fails: []string{"unknown-command", "reply-outcome"}, reply: func(c *wire.Command, r *wire.Record) {
			if c.Name == unknownName {
				put(wire.HeaderSagaOutcome, "failure")(r)
			}
		},
	}, wrong{
		name: "TellsOthers", fails: []string{"reply-asked"}, duringRun: func(w *world, c *wire.Command) {
			if bytes.Contains(c.Value, []byte("flaky")) {
				made := says(c, wire.Succeeded, "", "")
				made.SagaID, made.CausationID, made.Token = wire.RandomID(), wire.RandomID(), "made"
				record := made.Record(testReplies)
				record.Partition = wire.Partition(record.Key, testPartitions)
				w.replies = append(w.replies, record)
			}
		},
	})
	return all
}

func message(text string) func(*wire.Command, *wire.Record) {
	return func(_ *wire.Command, r *wire.Record) {
		if header(r, wire.HeaderSagaOutcome) == "rejected" {
			drop(wire.HeaderSagaMessage)(r)
			r.Headers = append(r.Headers, wire.Header{Key: wire.HeaderSagaMessage, Value: []byte(text)})
		}
	}
}

// TestRun_WrongParticipants: a participant that is wrong in one thing fails the checks that are about it, and no others.
func TestRun_WrongParticipants(t *testing.T) {
	t.Parallel()
	for _, w := range wrongs() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			plan := testPlan()
			plan.Probe = "FindOut.v1"
			report := newWorld(t, w).play(plan)
			failed := report.Failed()
			slices.Sort(failed)
			want := slices.Sorted(slices.Values(w.fails))
			require.Equal(t, want, failed)
		})
	}
}

// TestRun_EachCheckHasAWrongParticipant: a check that nothing fails checks nothing.
func TestRun_EachCheckHasAWrongParticipant(t *testing.T) {
	t.Parallel()
	var noticed []string
	for _, w := range wrongs() {
		noticed = append(noticed, w.fails...)
	}
	for _, c := range Checks() {
		require.Contains(t, noticed, c.Name)
	}
}
