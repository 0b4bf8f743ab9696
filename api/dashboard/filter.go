package dashboard

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// sagaFilter reads the filter that stands in the URL of the list of sagas; the names are those of the REST API.
func sagaFilter(q url.Values) client.SagaFilter {
	f := client.SagaFilter{
		Saga: strings.TrimSpace(q.Get("saga")), Verdict: q.Get("verdict"), Attention: strings.TrimSpace(q.Get("attention")), BlockedOn: q.Get("blocked_on"), Order: q.Get("order"),
		Participant: strings.TrimSpace(q.Get("participant")), Key: strings.TrimSpace(q.Get("key")),
		CreatedAfter: moment(q.Get("created_after")), CreatedBefore: moment(q.Get("created_before")),
		Cursor: q.Get("cursor"), Limit: pageRows, Count: true,
	}
	if !slices.Contains(causes(), f.BlockedOn) {
		f.BlockedOn = ""
	}
	if !slices.Contains(verdicts(), f.Verdict) {
		f.Verdict = ""
	}
	if f.Order != oldest {
		f.Order = ""
	}
	if version, err := strconv.Atoi(q.Get("version")); err == nil && version > 0 {
		f.Version = version
	}
	for _, each := range q["status"] {
		for s := range strings.SplitSeq(each, ",") {
			if s != "" {
				f.Status = append(f.Status, client.Status(s))
			}
		}
	}
	for _, each := range q["label"] {
		if name, value, ok := strings.Cut(strings.TrimSpace(each), ":"); ok && name != "" {
			if f.Labels == nil {
				f.Labels = map[string]string{}
			}
			f.Labels[name] = value
		}
	}
	if since, err := time.ParseDuration(q.Get("within")); err == nil && since > 0 {
		f.CreatedAfter = time.Now().Add(-since).Truncate(time.Minute)
	}
	return f
}

// oldest is the order in which those that were started first come first.
const oldest = "oldest"

func causes() []string { return []string{"reply", "backoff", "hold", "attention", "unpublished"} }

func verdicts() []string { return []string{"committed", "cleanly_aborted", "residue"} }

func statuses() []string {
	return []string{"running", "compensating", "suspended", "completed", "compensated", "abandoned"}
}

// operationFilter is the same filter as an operation over many sagas takes it.
func operationFilter(f client.SagaFilter) client.OperationFilter {
	out := client.OperationFilter{
		Saga: f.Saga, Version: f.Version, Status: f.Status, Verdict: f.Verdict, Attention: f.Attention, BlockedOn: f.BlockedOn, Participant: f.Participant,
		Key: f.Key, Labels: f.Labels,
	}
	if !f.CreatedAfter.IsZero() {
		out.CreatedAfter = &f.CreatedAfter
	}
	if !f.CreatedBefore.IsZero() {
		out.CreatedBefore = &f.CreatedBefore
	}
	return out
}
