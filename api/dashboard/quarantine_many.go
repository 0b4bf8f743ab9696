package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// manyLimit is how many records are redriven or discarded at once; the oldest come first, and there is a way on to the next.
const manyLimit = 500

// manyView is the form of an action over many records, from the choice over the rehearsal to what came of it.
type manyView struct {
	page    ui.Page
	query   url.Values // which records: the names of the list's filter
	which   client.QuarantineWhich
	groups  []client.QuarantineGroup // of the records that are meant
	action  client.QuarantineAction
	reason  string
	vouch   bool // whether who looks may stand in for tokens
	vouched bool
	once    string
	result  *client.QuarantineMany // of the rehearsal, or of the act
	done    bool                   // result is what came of it
	problem *client.Problem
}

func (d *Dashboard) readMany(r *http.Request, values url.Values) (*manyView, error) {
	v := &manyView{page: d.page(r, ui.Quarantine, "Act on many records"), query: url.Values{}, vouch: d.may(r, "vouch"), once: keyOf(r)}
	for _, name := range []string{"fingerprint", "reason", "topic", "saga"} {
		from := name
		if name == "reason" && values.Has("cause") { // the form's own reason is why it is done
			from = "cause"
		}
		if text := strings.TrimSpace(values.Get(from)); text != "" {
			v.query.Set(name, text)
		}
	}
	v.which = client.QuarantineWhich{
		Fingerprint: v.query.Get("fingerprint"), Reason: v.query.Get("reason"), Topic: v.query.Get("topic"), SagaID: v.query.Get("saga"), All: len(v.query) == 0,
	}
	v.action = client.QuarantineAction(values.Get("action"))
	if v.action != client.QuarantineDiscard {
		v.action = client.QuarantineRedrive
	}
	groups, err := d.backend.QuarantineGroups(r.Context(), client.QuarantineFilter{
		Fingerprint: v.which.Fingerprint, Reason: v.which.Reason, Topic: v.which.Topic, SagaID: v.which.SagaID, State: client.QuarantineWaiting,
		Limit: pageRows,
	})
	v.groups = groups.Items
	return v, err
}

// manyForm asks what to do with the records of a filter.
func (d *Dashboard) manyForm(w http.ResponseWriter, r *http.Request) error {
	v, err := d.readMany(r, r.URL.Query())
	if err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, manyPage(v))
	return nil
}

// handleMany rehearses an action on many records, and does it once that is confirmed.
func (d *Dashboard) handleMany(w http.ResponseWriter, r *http.Request) error {
	v, err := d.readMany(r, r.PostForm)
	if err != nil {
		return err
	}
	v.reason, v.vouched = strings.TrimSpace(r.PostFormValue("why")), r.PostFormValue("vouch") == "true"
	confirmed := r.PostFormValue("confirm") == "true"
	result, err := d.backend.HandleManyQuarantined(r.Context(), v.action,
		client.QuarantineManyRequest{Filter: v.which, Reason: v.reason, Limit: manyLimit, Vouch: v.vouched}, !confirmed, v.once)
	status := http.StatusOK
	switch problem, ok := refusedForm(err); {
	case err == nil:
		v.result, v.done = &result, confirmed
	case ok:
		v.problem, status = problem, problem.Status
	default:
		return err
	}
	if v.done { // what it was asked for is done; the next ones are another wish
		v.once = onceKey()
	}
	d.write(w, r, status, manyPage(v))
	return nil
}

// waiting is how many records are meant.
func (v *manyView) waiting() int64 {
	var n int64
	for i := range v.groups {
		n += v.groups[i].Count
	}
	return n
}

func recordsWord(n int) string {
	if n == 1 {
		return "1 record"
	}
	return ui.Number(int64(n)) + " records"
}

// count is how many of the records came, or would come, to an outcome.
type count struct {
	mark ui.Mark
	n    int
}

func (v *manyView) counts() []count {
	var out []count
	for _, outcome := range []string{"applied", "ignored", "discarded", "quarantined_again", "error"} {
		if n := v.result.Counts[outcome]; n > 0 {
			out = append(out, count{eachMark(outcome), n})
		}
	}
	return out
}

func eachOutcome(e *client.QuarantineEach) string {
	if e.Result != nil {
		return string(e.Result.Outcome)
	}
	return "error"
}

func eachMark(outcome string) ui.Mark {
	switch outcome {
	case "applied":
		return ui.Mark{Icon: "check", Word: "applied", Tone: ui.Good, Hint: "to its saga"}
	case "ignored":
		return ui.Mark{Icon: "dot", Word: "ignored", Tone: ui.Idle, Hint: "a duplicate, late or stale answer: it changes nothing"}
	case "discarded":
		return ui.Mark{Icon: "stop", Word: "discarded", Tone: ui.Idle, Hint: "settled without being judged"}
	case "quarantined_again":
		return ui.Mark{Icon: "alarm", Word: "stays", Tone: ui.Bad, Hint: "what is wrong with it is still wrong"}
	}
	return ui.Mark{Icon: "cross", Word: "refused", Tone: ui.Bad}
}

// eachWords says why, in words.
func eachWords(e *client.QuarantineEach) string {
	switch {
	case e.Error != nil:
		return e.Error.Code + ": " + e.Error.Detail
	case e.Result.Cause != nil:
		return reasonWord(e.Result.Cause.Reason) + ": " + e.Result.Cause.Message
	}
	return e.Result.Why
}

// eachShown bounds the table; what is not done as it was wished comes first.
const eachShown = 50

func (v *manyView) shown() []client.QuarantineEach {
	rank := func(e *client.QuarantineEach) int {
		return slices.Index([]string{"error", "quarantined_again", "ignored", "applied", "discarded"}, eachOutcome(e))
	}
	list := slices.Clone(v.result.Items)
	slices.SortStableFunc(list, func(a, b client.QuarantineEach) int { return rank(&a) - rank(&b) })
	return list[:min(len(list), eachShown)]
}
