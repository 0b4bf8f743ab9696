package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
)

// ServerEvent is one event of a stream (text/event-stream).
type ServerEvent struct {
	ID   string // to resume from (Last-Event-ID)
	Type string
	Data json.RawMessage
}

// maxEventBytes bounds one line of a stream; an event carries payloads of up to 256 KiB.
const maxEventBytes = 8 << 20

// EventEnd is the type of the last event of an ended saga's stream; its data is a StreamEnd.
const EventEnd = "end"

// StreamEnd is the data of an ended saga's last event.
type StreamEnd struct {
	Status   Status `json:"status"`
	Revision int64  `json:"revision"`
}

// Event is one published fact of any saga.
type Event struct {
	ID      string `json:"id" doc:"<saga id>/<sequence>"`
	Saga    string `json:"saga" doc:"The definition's name"`
	Version int    `json:"version"`
	SagaID  string `json:"saga_id" format:"uuid"`
	Fact    Fact   `json:"fact"`
}

// Events follows the published facts of all sagas, from after lastID (empty: from now on), until ctx ends, the loop breaks or
// the connection does. The last error is yielded; resume with the last event's ID.
func (c *Client) Events(ctx context.Context, lastID string) iter.Seq2[ServerEvent, error] {
	return c.stream(ctx, "/v1/events", lastID)
}

// SagaEvents follows one saga's facts, from after sequence number afterSeq (0: from its first), until it has ended: the last
// event is then of type EventEnd. The others carry a Fact. An error is yielded last.
func (c *Client) SagaEvents(ctx context.Context, id string, afterSeq int64) iter.Seq2[ServerEvent, error] {
	last := ""
	if afterSeq > 0 {
		last = strconv.FormatInt(afterSeq, 10)
	}
	return c.stream(ctx, sagaPath(id, "/events"), last)
}

func (c *Client) stream(ctx context.Context, path, lastID string) iter.Seq2[ServerEvent, error] {
	return func(yield func(ServerEvent, error) bool) {
		req, err := c.request(ctx, http.MethodGet, path, nil, nil, func(k *call) {
			k.header.Set("Accept", "text/event-stream")
			if lastID != "" {
				k.header.Set("Last-Event-Id", lastID)
			}
		})
		if err != nil {
			yield(ServerEvent{}, err)
			return
		}
		resp, err := c.http.Do(req)
		if err != nil {
			yield(ServerEvent{}, fmt.Errorf("follow %s: %w", path, err))
			return
		}
		defer resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusNoContent: // nothing more will ever come
			return
		case resp.StatusCode != http.StatusOK:
			yield(ServerEvent{}, readError(resp))
			return
		}
		for event, err := range ReadEvents(resp.Body) {
			if err != nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

// ReadEvents reads a stream of server-sent events. Comments are left out. The sequence ends with the reader; an error other
// than its plain end is yielded last.
func ReadEvents(r io.Reader) iter.Seq2[ServerEvent, error] {
	return func(yield func(ServerEvent, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxEventBytes)
		var event ServerEvent
		var data []string
		for lines.Scan() {
			line := lines.Text()
			if line == "" {
				if len(data) > 0 {
					event.Data = json.RawMessage(strings.Join(data, "\n"))
					if !yield(event, nil) {
						return
					}
				}
				event, data = ServerEvent{ID: event.ID}, nil
				continue
			}
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "id":
				event.ID = value
			case "event":
				event.Type = value
			case "data":
				data = append(data, value)
			}
		}
		if err := lines.Err(); err != nil {
			yield(ServerEvent{}, fmt.Errorf("read the stream: %w", err))
		}
	}
}
