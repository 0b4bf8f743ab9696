package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Saga reads one saga. With IfChangedFrom it may answer ErrNotModified.
func (c *Client) Saga(ctx context.Context, id string, opts ...CallOption) (Saga, error) {
	var s Saga
	_, err := c.call(ctx, http.MethodGet, sagaPath(id, ""), nil, nil, &s, opts...)
	return s, err
}

func sagaPath(id, rest string) string { return "/v1/sagas/" + url.PathEscape(id) + rest }

// Fact is one line of a saga's history. Which fields are set depends on Type.
type Fact struct {
	Seq        int64           `json:"seq" doc:"1, 2, ... without holes"`
	At         time.Time       `json:"at"`
	Type       string          `json:"type" doc:"Such as step.succeeded"`
	EventID    string          `json:"event_id,omitempty" doc:"Of the event it came from: a reply's ce_id, a request's id"`
	Sequence   int64           `json:"sequence,omitempty" doc:"ce_sequence where it is published"`
	Step       string          `json:"step,omitempty"`
	Verb       string          `json:"verb,omitempty" enum:"execute,compensate,probe"`
	Edition    int             `json:"edition,omitempty"`
	Attempt    int             `json:"attempt,omitempty"`
	Renewed    bool            `json:"renewed,omitempty" doc:"The budget of attempts began anew"`
	Payload    json.RawMessage `json:"payload,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	ExpiresAt  *time.Time      `json:"expires_at,omitempty"`
	RetryAt    *time.Time      `json:"retry_at,omitempty"`
	Outcome    string          `json:"outcome,omitempty"`
	Code       string          `json:"code,omitempty"`
	Message    string          `json:"message,omitempty"`
	Effect     string          `json:"effect,omitempty"`
	ByOperator bool            `json:"by_operator,omitempty"`
	Disputed   bool            `json:"disputed,omitempty"`
	Anomaly    bool            `json:"anomaly,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Abort      *Abort          `json:"abort,omitempty"`
	By         string          `json:"by,omitempty" doc:"Who did it"`
	Wish       string          `json:"wish,omitempty" doc:"The operator's reason"`
	// Input and Labels are those of saga.started.
	Input       json.RawMessage   `json:"input,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Certificate *Certificate      `json:"certificate,omitempty"`
	Why         string            `json:"why,omitempty" doc:"One sentence"`
	// Record is where the command stands in Kafka once it is acknowledged; it was decided on at At. Reply is where the answer stands,
	// and Verdict what became of it. Foreign answers, to what was never sent, are in quarantine.
	Record  *Coordinates `json:"record,omitempty"`
	Reply   *Coordinates `json:"reply,omitempty"`
	Verdict string       `json:"verdict,omitempty" enum:"applied,duplicate,stale,late,conflict" doc:"What became of the reply"`
}

// Coordinates say where a record stands in Kafka.
type Coordinates struct {
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// CommittedAt is of a command; it is absent where another replica than the one that committed it published it.
	CommittedAt *time.Time `json:"committed_at,omitempty" doc:"Of a command: when its batch was committed, by the database's clock"`
	At          *time.Time `json:"at,omitempty" doc:"Of a command: when the broker acknowledged it. Of a reply: when the engine judged it"`
}

// History is one page of a saga's facts, oldest first.
type History struct {
	Items      []Fact `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Absent: no more for now"`
}

// History lists one page of facts, oldest first, after the cursor of the page before; limit 0 is 100.
func (c *Client) History(ctx context.Context, id, cursor string, limit int) (History, error) {
	q := url.Values{}
	set(q, "cursor", cursor)
	setInt(q, "limit", int64(limit))
	var h History
	_, err := c.call(ctx, http.MethodGet, sagaPath(id, "/history"), q, nil, &h)
	return h, err
}

// AllHistory walks over all facts of a saga. It stops at the first error, which it yields with a zero Fact.
func (c *Client) AllHistory(ctx context.Context, id string) iter.Seq2[Fact, error] {
	return pages(func(cursor string) ([]Fact, string, error) {
		h, err := c.History(ctx, id, cursor, 500)
		return h.Items, h.NextCursor, err
	})
}

// Graph is a saga's plan and where it is, with places to draw it at.
type Graph struct {
	ID       string `json:"id" format:"uuid"`
	Saga     string `json:"saga"`
	Version  int    `json:"version"`
	Status   Status `json:"status"`
	Revision int64  `json:"revision"`
	// Layers and Lanes are the size of the drawing: a node is at (Layer, Lane).
	Layers int    `json:"layers"`
	Lanes  int    `json:"lanes"`
	Nodes  []Node `json:"nodes" nullable:"false"`
	Edges  []Edge `json:"edges" nullable:"false"`
}

// Node is a step in a drawing.
type Node struct {
	Step         string `json:"step"`
	Participant  string `json:"participant"`
	Command      string `json:"command"`
	Compensation string `json:"compensation,omitempty" doc:"The command that undoes it"`
	Kind         string `json:"kind" enum:"compensatable,pivot,retriable"`
	Status       string `json:"status"`
	Effect       string `json:"effect"`
	Attempts     int    `json:"attempts,omitempty"`
	UndoAttempts int    `json:"undo_attempts,omitempty"`
	BlockedOn    string `json:"blocked_on,omitempty" enum:"reply,backoff,hold,attention,unpublished"`
	Attention    bool   `json:"attention,omitempty"`
	Layer        int    `json:"layer" doc:"From 0: the longest way from a step without predecessors"`
	Lane         int    `json:"lane" doc:"From 0, within the layer"`
}

// Edge leads from a step to one that waits for it. Edges that follow from others are left out.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Done bool   `json:"done,omitempty" doc:"The saga went along it"`
	Back bool   `json:"back,omitempty" doc:"The step it leads to is being undone or is undone"`
}

// Graph reads a saga's graph.
func (c *Client) Graph(ctx context.Context, id string) (Graph, error) {
	var g Graph
	_, err := c.call(ctx, http.MethodGet, sagaPath(id, "/graph"), nil, nil, &g)
	return g, err
}
