package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// quarantineView is the list of records that could not be applied.
type quarantineView struct {
	page   ui.Page
	query  url.Values
	filter client.QuarantineFilter
	groups []client.QuarantineGroup
	list   client.QuarantineList
	many   bool // whether who looks may act on many
	self   string
}

// quarantine lists causes and records.
func (d *Dashboard) quarantine(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &quarantineView{page: d.page(r, ui.Quarantine, "Quarantine"), query: q, many: d.may(r, permitBulk), self: r.URL.RequestURI()}
	v.filter = client.QuarantineFilter{
		Fingerprint: strings.TrimSpace(q.Get("fingerprint")), Reason: strings.TrimSpace(q.Get("reason")), Topic: strings.TrimSpace(q.Get("topic")),
		SagaID: strings.TrimSpace(q.Get("saga")), Cursor: q.Get("cursor"), Limit: pageRows,
	}
	switch state := client.QuarantineState(q.Get("state")); state {
	case client.QuarantineRedriven, client.QuarantineDiscarded:
		v.filter.State = state
	default:
		v.filter.State = client.QuarantineWaiting
	}
	groups, err := d.backend.QuarantineGroups(r.Context(), v.filter)
	if err != nil {
		return err
	}
	v.groups = groups.Items
	if v.list, err = d.backend.Quarantine(r.Context(), v.filter); err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, quarantinePage(v))
	return nil
}

// acts reports whether the page offers to act on many: only what waits can be acted on.
func (v *quarantineView) acts() bool { return v.many && v.filter.State == client.QuarantineWaiting }

// actOn is the form for all records of the list, or of one cause among them.
func (v *quarantineView) actOn(fingerprint string) string {
	pairs := []string{"state", ""}
	if fingerprint != "" {
		pairs = append(pairs, "fingerprint", fingerprint)
	}
	return with("/quarantine/many", v.query, pairs...)
}

// recordView is the page of one record.
type recordView struct {
	page      ui.Page
	record    client.Quarantined
	payloads  bool
	operate   bool
	vouch     bool // whether who looks may stand in for a token
	did       string
	action    client.QuarantineAction // being decided; empty: none
	reason    string
	vouched   bool
	once      string
	rehearsed *client.QuarantineResult
	problem   *client.Problem
}

func (d *Dashboard) readRecord(r *http.Request) (*recordView, error) {
	id, err := number(r, "id")
	if err != nil {
		return nil, err
	}
	record, err := d.backend.Quarantined(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return &recordView{
		page: d.page(r, ui.Quarantine, "Record "+ui.Number(id)), record: record, payloads: d.may(r, "payloads"), operate: d.may(r, permitOperate),
		vouch: d.may(r, "vouch"), did: r.URL.Query().Get("did"), once: onceKey(),
	}, nil
}

// quarantined is the page of one record, byte for byte.
func (d *Dashboard) quarantined(w http.ResponseWriter, r *http.Request) error {
	v, err := d.readRecord(r)
	if err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, recordPage(v))
	return nil
}

// handleQuarantined rehearses an action on a record, and does it once that is confirmed.
func (d *Dashboard) handleQuarantined(w http.ResponseWriter, r *http.Request) error {
	v, err := d.readRecord(r)
	if err != nil {
		return err
	}
	v.action = client.QuarantineAction(chi.URLParam(r, "action"))
	if v.action != client.QuarantineRedrive && v.action != client.QuarantineDiscard {
		return notFound("there is no such action")
	}
	v.reason, v.vouched, v.once = strings.TrimSpace(r.PostFormValue("reason")), r.PostFormValue("vouch") == "true", keyOf(r)
	confirmed := r.PostFormValue("confirm") == "true"
	result, err := d.backend.HandleQuarantined(r.Context(), v.record.ID, v.action,
		client.QuarantineRequest{Reason: v.reason, Vouch: v.vouched}, !confirmed, v.once)
	status := http.StatusOK
	switch problem, ok := refusedForm(err); {
	case err == nil && confirmed:
		seeOther(w, r, "/quarantine/"+url.PathEscape(chi.URLParam(r, "id"))+"?did="+string(result.State))
		return nil
	case err == nil:
		v.rehearsed = &result
	case ok:
		v.problem, status = problem, problem.Status
	default:
		return err
	}
	d.write(w, r, status, recordPage(v))
	return nil
}

func recordMark(state client.QuarantineState) ui.Mark {
	switch state {
	case client.QuarantineWaiting:
		return ui.Mark{Icon: "alarm", Word: "waiting", Tone: ui.Bad, Hint: "a person has to decide"}
	case client.QuarantineRedriven:
		return ui.Mark{Icon: "check", Word: "redriven", Tone: ui.Good, Hint: "it was judged again"}
	case client.QuarantineDiscarded:
		return ui.Mark{Icon: "stop", Word: "discarded", Tone: ui.Idle, Hint: "settled without being judged"}
	}
	return ui.Mark{Icon: "dot", Word: string(state), Tone: ui.Idle}
}

func outcomeWords(r *client.QuarantineResult) string {
	switch r.Outcome {
	case client.QuarantineApplied:
		return "It would be applied to its saga."
	case client.QuarantineIgnored:
		return "It would change nothing: a duplicate, late or stale answer. It would leave quarantine."
	case client.QuarantineAgain:
		return "It would stay in quarantine: what is wrong with it is still wrong."
	case client.QuarantineDropped:
		return "It would be settled without being judged. Its bytes stay here."
	}
	return string(r.Outcome)
}

func coordinates(q *client.Quarantined) string {
	return q.Topic + " " + itoa(int(q.Partition)) + " @ " + ui.Number(q.Offset)
}
