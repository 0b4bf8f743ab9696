package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestAct_EveryAction(t *testing.T) {
	t.Parallel()
	for _, action := range saga.Actions() {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			want := saga.Acted{Action: action, Reason: "because", By: "anonymous"}
			fields := ""
			if action.NeedsStep() {
				want.Step, fields = "charge-payment", `"step":"charge-payment",`
			}
			switch action {
			case saga.ActionComplete, saga.ActionSkip:
				want.Output, fields = []byte(`{"n": 1.0}`), fields+`"output":{"n": 1.0},`
			case saga.ActionRetry:
				want.Payload, fields = []byte(`{"p": 2.00}`), fields+`"payload":{"p": 2.00},`
			default:
			}
			w := b.do(t, exchange{
				method: "POST", path: b.sagaPath("/" + string(action)), body: `{` + fields + `"reason":"because"}`,
				header: map[string]string{"If-Match": `"2"`, "Idempotency-Key": "k", "X-Request-Id": "r"},
			})
			got := answerIn[client.Acted](t, w, http.StatusOK)
			require.Equal(t, int64(3), got.Revision)
			require.Equal(t, `"3"`, w.Header().Get("ETag"))
			require.Equal(t, orchestrator.ActRequest{Tenant: "default", ID: b.engine.started.ID, Act: want, IfRevision: 2, RequestID: "r", IdempotencyKey: "k"},
				b.engine.lastAct(t))
		})
	}
}

func TestAct_CancelThatWaitsIsAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	do := func(action string, acted orchestrator.Acted) int {
		b.engine.acted = acted
		body := `{"reason":"r"}`
		return b.do(t, exchange{method: "POST", path: b.sagaPath("/" + action), body: body}).Code
	}
	require.Equal(t, 202, do("cancel", orchestrator.Acted{Pending: true, Changed: true}))
	require.Equal(t, 202, do("cancel", orchestrator.Acted{}), "while it is undone already: 202 without change (rule 8)")
	require.Equal(t, 200, do("cancel", orchestrator.Acted{Changed: true}))
	require.Equal(t, 200, do("pause", orchestrator.Acted{}))
}

func TestAct_Replayed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.acted.Replayed = true
	w := b.do(t, exchange{method: "POST", path: b.sagaPath("/pause"), body: `{"reason":"r"}`})
	require.Equal(t, "true", w.Header().Get("Idempotency-Replayed"))
}

func TestAct_SaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		action, body, ifMatch, contentType string
		status                             int
		code                               string
		paths                              []string
	}{
		"NoBody":        {action: "pause", status: 400, code: "unreadable"},
		"NoJSON":        {action: "pause", body: "reason=r", status: 400, code: "unreadable"},
		"ContentType":   {action: "pause", body: `{"reason":"r"}`, contentType: "text/plain", status: 415, code: "unsupported_media_type"},
		"NoReason":      {action: "pause", body: `{}`, status: 422, code: "invalid", paths: []string{"body"}},
		"BlankReason":   {action: "pause", body: `{"reason":"  "}`, status: 422, code: "invalid", paths: []string{"body.reason"}},
		"LongReason":    {action: "pause", body: `{"reason":"` + strings.Repeat("r", 1001) + `"}`, status: 422, code: "invalid", paths: []string{"body.reason"}},
		"NeedsStep":     {action: "skip", body: `{"reason":"r"}`, status: 422, code: "invalid", paths: []string{"body.step"}},
		"TakesNoStep":   {action: "cancel", body: `{"reason":"r","step":"a"}`, status: 422, code: "invalid", paths: []string{"body.step"}},
		"AllAtOnce":     {action: "waive", body: `{"output":1,"payload":2}`, status: 422, code: "invalid", paths: []string{"body", "body.step", "body.output", "body.payload"}},
		"UnknownField":  {action: "pause", body: `{"reason":"r","why":"w"}`, status: 422, code: "invalid", paths: []string{"body.why"}},
		"BadIfMatch":    {action: "pause", body: `{"reason":"r"}`, ifMatch: "two", status: 422, code: "invalid", paths: []string{"header.If-Match"}},
		"WeakIfMatch":   {action: "pause", body: `{"reason":"r"}`, ifMatch: `W/"2"`, status: 422, code: "invalid", paths: []string{"header.If-Match"}},
		"LargeOutput":   {action: "complete", body: `{"reason":"r","step":"a","output":"` + strings.Repeat("x", 256<<10) + `"}`, status: 413, code: "too_large"},
		"UnknownAction": {action: "undo", body: `{"reason":"r"}`, status: 404, code: "unknown_route"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			e := exchange{method: "POST", path: b.sagaPath("/" + c.action), body: c.body, header: map[string]string{}}
			if c.ifMatch != "" {
				e.header["If-Match"] = c.ifMatch
			}
			if c.contentType != "" {
				e.header["Content-Type"] = c.contentType
			}
			p := problemIn(t, b.do(t, e), c.status, c.code)
			require.ElementsMatch(t, c.paths, paths(p))
			require.Empty(t, b.engine.acts)
		})
	}
}

func TestAct_RefusalsSayWhatIsPossible(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.err = &saga.RefusedError{Code: saga.CodePastPivot, Message: "too late", Possible: []saga.Action{saga.ActionPause, saga.ActionRetry}}
	for _, query := range []string{"", "?dry_run=true"} {
		p := problemIn(t, b.do(t, exchange{method: "POST", path: b.sagaPath("/cancel" + query), body: `{"reason":"r"}`}), 409, "past_pivot")
		require.Equal(t, []string{"pause", "retry"}, p.Possible)
	}
	b.engine.err = orchestrator.ErrRevision
	problemIn(t, b.do(t, exchange{method: "POST", path: b.sagaPath("/cancel"), body: `{"reason":"r"}`}), 412, "revision")
	b.engine.err = orchestrator.ErrNotFound
	problemIn(t, b.do(t, exchange{method: "POST", path: b.sagaPath("/cancel"), body: `{"reason":"r"}`}), 404, "not_found")
}

func TestDryRun_AnswersTheExactNextState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{method: "POST", path: b.sagaPath("/complete?dry_run=true"), body: `{"step":"charge-payment","reason":"r","output":{"payment_id":"p"}}`})
	got := answerIn[client.Preview](t, w, http.StatusOK)
	require.True(t, got.Changed)
	require.Equal(t, "succeeded", got.Next.Steps[1].Status)
	require.True(t, got.Next.Steps[1].ByOperator)
	require.Len(t, got.Commands, 1)
	require.Equal(t, "ReserveItems.v1", got.Commands[0].Command)
	require.JSONEq(t, `{"order_id":"A-1001","items":[{"sku":"s","quantity":1}]}`, string(got.Commands[0].Payload))
	require.NotEmpty(t, got.Facts)
	require.Equal(t, saga.InFlight, b.engine.reader.view.Instance.Steps[1].Status, "nothing is stored")
}
