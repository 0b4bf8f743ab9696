package client

import (
	"context"
	"net/http"
	"time"
)

// ParticipantCounts counts the live sagas that wait for one participant; one that waits in two ways counts in both.
type ParticipantCounts struct {
	InFlight   int64 `json:"in_flight" doc:"For its answer"`
	BackingOff int64 `json:"backing_off"`
	Held       int64 `json:"held" doc:"Under a hold when they were last written"`
	Stuck      int64 `json:"stuck" doc:"For a person, after what it answered"`
	Limited    int64 `json:"limited" doc:"For a limit; held counts them too"`
}

// Participant is a service that handles commands, and how it does.
type Participant struct {
	Name string `json:"name"`
	ParticipantCounts
	// Lag and Consumers are those of its consumer group on its command topic, seconds old.
	Lag       *int64 `json:"lag,omitempty" doc:"Records that it has not read; absent: not known"`
	Consumers *int   `json:"consumers,omitempty" doc:"Members of its group; absent: not known"`
	// Answers, Failures and ErrorRate are what the replica that was asked has committed since Since; other replicas know of others.
	Answers   int       `json:"answers" doc:"Answers and timeouts seen by this replica"`
	Failures  int       `json:"failures" doc:"Those of them that were technical failures or timeouts; a rejection is none"`
	ErrorRate *float64  `json:"error_rate,omitempty" doc:"Failures per answer, 0 to 1; absent: no answers"`
	Since     time.Time `json:"since"`
	Hold      *Hold     `json:"hold,omitempty" doc:"The oldest hold on it that is in force"`
}

// ParticipantList lists participants by name.
type ParticipantList struct {
	Items []Participant `json:"items" nullable:"false"`
}

// Participants lists the participants of all definitions and live sagas, by name.
func (c *Client) Participants(ctx context.Context) (ParticipantList, error) {
	var list ParticipantList
	_, err := c.call(ctx, http.MethodGet, "/v1/participants", nil, nil, &list)
	return list, err
}
