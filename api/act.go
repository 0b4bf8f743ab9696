package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// actBody leaves room for an output or a payload of saga.MaxReplyBytes.
const actBody = saga.MaxReplyBytes + 64<<10

type actInput struct {
	rawBody
	SagaPath
	DryRun         bool   `query:"dry_run" doc:"Answer what would come of it; store nothing"`
	IfMatch        string `header:"If-Match" doc:"The revision that the saga must have, as its ETag"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Kept for 7 days; a replay answers the same"`

	revision int64
}

// Resolve reads If-Match.
func (in *actInput) Resolve(huma.Context) []error {
	if in.IfMatch == "" || in.IfMatch == "*" {
		return nil
	}
	text, quoted := strings.CutPrefix(in.IfMatch, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	revision, err := strconv.ParseInt(text, 10, 64)
	if !quoted || !closed || err != nil || revision < 1 {
		return []error{&huma.ErrorDetail{Location: "header.If-Match", Message: `want one ETag of the saga, such as "7"`}}
	}
	in.revision = revision
	return nil
}

func (a *API) registerActions() {
	for _, action := range saga.Actions() {
		answers := map[int]any{http.StatusOK: client.Acted{}}
		if action == saga.ActionCancel {
			answers[http.StatusAccepted] = client.Acted{}
		}
		register(a, route{
			id: string(action) + "-saga", method: http.MethodPost, path: "/v1/sagas/{id}/" + string(action), tag: "operate",
			summary: actionSummary(action),
			description: "With `dry_run=true` the answer is a Preview: the exact next state, the facts and the commands. " +
				"409 says in `possible` what would be possible instead.",
			permission: permissionFor(action, false), body: client.ActRequest{}, maxBody: actBody, answers: answers,
			headers: []string{"ETag", "Idempotency-Replayed"},
			errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
		}, func(ctx context.Context, in *actInput) (*answer, error) { return a.act(ctx, action, in) })
	}
}

// permissionFor is what an action needs: one's own word about what became of a step, and a corrected payload, take more.
func permissionFor(action saga.Action, payload bool) Permission {
	if action == saga.ActionComplete || action == saga.ActionReject || payload {
		return PermitVouch
	}
	return PermitOperate
}

func actionSummary(action saga.Action) string {
	switch action {
	case saga.ActionCancel:
		return "Undo a saga that has not passed its pivot"
	case saga.ActionPause:
		return "Create no further command and stop the timers"
	case saga.ActionResume:
		return "Go on after a pause"
	case saga.ActionRetry:
		return "Send a step's command again, now"
	case saga.ActionComplete:
		return "Settle a step as succeeded, by your own word"
	case saga.ActionReject:
		return "Settle a step as rejected, by your own word"
	case saga.ActionSkip:
		return "Go on without a step that had no effect"
	case saga.ActionWaive:
		return "Accept what a failed compensation left"
	case saga.ActionAbandon:
		return "Close a saga and accept the residue"
	case saga.ActionRebind:
		return "Go on by another version of the saga's definition"
	case saga.ActionAcknowledge:
		return "Clear attention that only a person can clear"
	}
	return string(action)
}

func (a *API) act(ctx context.Context, action saga.Action, in *actInput) (*answer, error) {
	req, err := a.readAct(ctx, action, in)
	if err != nil {
		return nil, err
	}
	return a.carryOut(ctx, in.DryRun, req)
}

// carryOut does an action, or rehearses it.
func (a *API) carryOut(ctx context.Context, dry bool, req orchestrator.ActRequest) (*answer, error) {
	if want := permissionFor(req.Act.Action, len(req.Act.Payload) > 0); !requestOf(ctx).principal.May(want) {
		return nil, forbidden(want)
	}
	if dry {
		return a.dryRun(ctx, req)
	}
	acted, err := a.cfg.Engine.Act(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &answer{status: http.StatusOK, body: client.Acted{
		ID: acted.ID.String(), Status: client.Status(acted.Status),
		Revision: acted.Revision, Pending: acted.Pending, Changed: acted.Changed, Why: acted.Why,
	}}
	// A cancel that waits for the pivot, or that comes while the saga is being undone already, is accepted and not done (rule 8).
	if acted.Pending || req.Act.Action == saga.ActionCancel && !acted.Changed {
		out.status = http.StatusAccepted
	}
	if acted.Replayed {
		out.with("Idempotency-Replayed", "true")
	}
	return out.with("ETag", client.ETag(acted.Revision)), nil
}

func (a *API) readAct(ctx context.Context, action saga.Action, in *actInput) (req orchestrator.ActRequest, err error) {
	body, err := readBody[client.ActRequest](a, in.RawBody)
	if err != nil {
		return req, err
	}
	fields := a.schemaErrors(reflect.TypeFor[client.ActRequest](), in.RawBody)
	wrong := func(path, message string) {
		fields = append(fields, client.FieldError{Path: "body." + path, Message: message})
	}
	if body.Reason != "" && strings.TrimSpace(body.Reason) == "" {
		wrong("reason", "want a reason")
	}
	switch {
	case action.NeedsStep() && body.Step == "":
		wrong("step", string(action)+" needs a step")
	case body.Step != "" && !action.NeedsStep() && action != saga.ActionAcknowledge:
		wrong("step", string(action)+" is about the saga as a whole")
	}
	if len(body.Output) > 0 && action != saga.ActionComplete && action != saga.ActionSkip {
		wrong("output", string(action)+" takes no output")
	}
	if len(body.Payload) > 0 && action != saga.ActionRetry {
		wrong("payload", string(action)+" takes no payload")
	}
	if len(fields) > 0 {
		return req, invalid(fields...)
	}
	for _, raw := range []json.RawMessage{body.Output, body.Payload} {
		if len(raw) > saga.MaxReplyBytes {
			return req, newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, "an output or payload is larger than 256 KiB")
		}
	}
	who := requestOf(ctx)
	return orchestrator.ActRequest{
		Tenant: who.principal.Tenant, ID: in.ID, IfRevision: in.revision, RequestID: who.id,
		IdempotencyKey: in.IdempotencyKey, Act: saga.Acted{
			Action: action, Step: body.Step, Output: body.Output, Payload: body.Payload,
			Reason: body.Reason, By: who.principal.Name,
		},
	}, nil
}

// dryRun answers the exact next state, facts and commands; nothing is stored.
func (a *API) dryRun(ctx context.Context, req orchestrator.ActRequest) (*answer, error) {
	decision, err := a.cfg.Engine.DryRun(ctx, req)
	if err != nil {
		return nil, err
	}
	out, err := a.preview(ctx, &decision)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: *out}, nil
}

// preview is what a decision would come to, as far as whoever asks may see it.
func (a *API) preview(ctx context.Context, decision *saga.Decision) (*client.Preview, error) {
	def, err := a.definition(ctx, &decision.Next)
	if err != nil {
		return nil, err
	}
	sight := seeing(requestOf(ctx).principal, def.Redact)
	out := &client.Preview{
		Changed: decision.Outcome == saga.Applied, Pending: decision.Pending, Why: decision.Why,
		Next: renderSaga(def, &decision.Next, nil, sight), Facts: []client.Fact{}, Commands: []client.Command{},
	}
	for i := range decision.Facts {
		out.Facts = append(out.Facts, renderFact(&decision.Facts[i], sight))
	}
	for _, c := range decision.Commands {
		out.Commands = append(out.Commands, client.Command{
			Step: c.Step, Participant: c.Participant, Command: c.Name, Verb: string(c.Verb),
			Edition: c.Edition, Attempt: c.Attempt, Payload: sight.derived(c.Payload), ExpiresAt: moment(c.ExpiresAt),
		})
	}
	return out, nil
}
