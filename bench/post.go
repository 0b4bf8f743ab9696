package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
)

// poster starts sagas with as little work as can be: on a machine that holds everything, what the driver takes the engine lacks.
// The floor's own driver does no more.
type poster struct {
	url    string
	client *http.Client
	happy  []byte
	undone []byte
	share  float64 // of undone
	floor  bool    // its answers name no saga: accepted is all that can be told
	among  *fleet  // whom starts go to in turn; nil: url
}

// note fills the input up to the 400 bytes of the floor's payloads.
var note = strings.Repeat("x", 320)

func newPoster(base string, conns int, share float64) *poster {
	body := func(more string) []byte {
		return []byte(`{"saga":"three-steps","input":{"order_id":"a-1","customer_id":"c-1","amount_cents":4200,` + more + `"note":"` + note + `"}}`)
	}
	return &poster{
		url: base + "/v1/sagas", client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}},
		happy: body(""), undone: body(`"refuse":true,`), share: share,
	}
}

// waiting makes every start wait for its saga's end.
func (p *poster) waiting() *poster {
	p.url += "?wait=30s"
	return p
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// start is a load.StartFunc.
func (p *poster) start(ctx context.Context, n int64) (load.Started, error) {
	body := p.happy
	if p.share > 0 && load.Every(n, p.share) {
		body = p.undone
	}
	url := p.url
	if p.among != nil {
		url = p.among.pick(n) + "/v1/sagas"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return load.Started{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return load.Started{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return load.Started{}, err
	case p.floor && resp.StatusCode == http.StatusAccepted:
		return load.Started{Status: client.Completed}, nil
	case resp.StatusCode == http.StatusAccepted:
		id, ok := idOf(answer)
		if !ok {
			return load.Started{}, errors.New("a start was answered without an id")
		}
		return load.Started{ID: id}, nil
	case resp.StatusCode == http.StatusOK:
		var ended struct {
			ID     string        `json:"id"`
			Status client.Status `json:"status"`
		}
		err := json.Unmarshal(answer, &ended)
		return load.Started{ID: ended.ID, Status: ended.Status}, err
	}
	return load.Started{}, refusedWith(resp.StatusCode, answer)
}

// idOf cuts the id out of an answer.
func idOf(answer []byte) (string, bool) {
	_, rest, found := bytes.Cut(answer, []byte(`"id":"`))
	id, _, closed := bytes.Cut(rest, []byte(`"`))
	return string(id), found && closed && len(id) == 36
}

func refusedWith(status int, answer []byte) error {
	e := &client.Error{}
	if json.Unmarshal(answer, &e.Problem) != nil || e.Code == "" {
		e.Code, e.Detail = http.StatusText(status), string(answer)
	}
	e.Status = status
	return e
}
