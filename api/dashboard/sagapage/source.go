package sagapage

import (
	"context"
	"encoding/json"

	"github.com/skaldhq/skald/api/client"
)

// Source is what the page asks, for whoever the request's context says is asking. Errors are *client.Error, as the API would answer.
type Source interface {
	// Look reads a saga as it stands, all of one moment.
	Look(ctx context.Context, id string, facts int) (Look, error)
	// Facts lists the newest facts before a number of the history, oldest first; before 0 means the newest of all.
	Facts(ctx context.Context, id string, before int64, limit int) ([]client.Fact, error)
	// RehearseWish answers what a wish would come to.
	RehearseWish(ctx context.Context, id string, wish Wish) (Rehearsal, error)
	// ActOnWish does it if the saga still has the revision; the key makes sending it twice harmless.
	ActOnWish(ctx context.Context, id string, wish Wish, revision int64, idempotencyKey string) (client.Acted, error)
	// Definitions lists the versions of a definition.
	Definitions(ctx context.Context, name string) (client.DefinitionList, error)
}

// Look is a saga as it stands.
type Look struct {
	Saga     client.Saga
	Graph    client.Graph
	Facts    []client.Fact // the newest, oldest first
	Total    int64         // of facts
	Possible []Choice      // what whoever asks could do now
}

// Choice is an action that the saga's state and the reader's permissions allow.
type Choice struct {
	Action client.Action
	Step   string // empty: the saga as a whole
}

// ActionRebind leads to another version of the definition; the REST API has a route of its own for it.
const ActionRebind client.Action = "rebind"

// Wish is what an operator wants done.
type Wish struct {
	Action  client.Action
	Step    string
	Output  json.RawMessage // of complete and skip
	Payload json.RawMessage // of retry
	Version int             // of rebind
	Reason  string
}

// Rehearsal is what a wish would come to, and what it was said of.
type Rehearsal struct {
	Preview  client.Preview
	Revision int64
}
