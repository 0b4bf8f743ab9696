package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

const (
	ownTailsMax = 16 // streams that read further back than the feed keeps, each on its own
	enterLimit  = 5 * time.Second
)

// Headers of skald.events (design section 6).
const (
	headerID      = "ce_id"
	headerSubject = "ce_subject"
	headerSaga    = "ce_sagatype"
	headerVersion = "ce_sagaversion"
	headerTenant  = "ce_sagatenant"
)

type eventsInput struct {
	Saga        string `query:"saga" pattern:"^[a-z][a-z0-9-]{0,62}$" doc:"Only this definition's"`
	LastEventID string `header:"Last-Event-ID" maxLength:"8192" doc:"Go on after this event"`

	from offsets
}

// Resolve reads Last-Event-ID.
func (in *eventsInput) Resolve(huma.Context) []error {
	if in.LastEventID == "" {
		return nil
	}
	from, err := parseOffsets(in.LastEventID)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "header.Last-Event-ID", Message: err.Error()}}
	}
	in.from = from
	return nil
}

func (a *API) registerEvents() {
	register(a, route{
		id: "follow-events", method: http.MethodGet, path: "/v1/events", tag: "events", summary: "Follow the published facts of all sagas",
		description: "Server-sent events from now on, or from after Last-Event-ID: the type is the fact's, the id the offsets in skald.events. " +
			"At least once. Which facts are published is the definition's `events`.",
		permission: PermitRead, produces: "text/event-stream", limit: -1,
		answers: map[int]any{http.StatusOK: "Events whose data is an Event"},
	}, a.followEvents)
}

func (a *API) followEvents(ctx context.Context, in *eventsInput) (*answer, error) {
	if a.feed == nil {
		return nil, newProblem(http.StatusServiceUnavailable, codeUnavailable, "this replica is not connected to skald.events")
	}
	leave := a.feed.join()
	limited, cancel := context.WithTimeout(ctx, enterLimit)
	defer cancel()
	at, near, err := a.feed.enter(limited, in.from)
	if err != nil {
		leave()
		return nil, newProblem(http.StatusServiceUnavailable, codeUnavailable, "skald.events cannot be read at present").because(err).later(feedRetry)
	}
	who := requestOf(ctx).principal
	return &answer{stream: func(w http.ResponseWriter, r *http.Request) {
		defer leave()
		a.stream(w, r, func(ctx context.Context, out *eventWriter) error {
			s := &eventSender{api: a, out: out, who: who, only: in.Saga}
			if near {
				s.at = at.at
				return s.fromFeed(ctx, at)
			}
			s.at = in.from
			return s.fromTail(ctx)
		})
	}}, nil
}

// eventSender sends what one principal may see of skald.events.
type eventSender struct {
	api  *API
	out  *eventWriter
	who  Principal
	only string // a definition's name; empty: all
	at   offsets
}

func (s *eventSender) fromFeed(ctx context.Context, p place) error {
	if err := s.out.position(s.at.String()); err != nil {
		return err
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		events, err := s.api.feed.next(ctx, &p, beat.C)
		if errors.Is(err, errLagged) || ctx.Err() != nil {
			return nil // the client comes back with Last-Event-ID
		}
		if err != nil {
			return err
		}
		if len(events) == 0 {
			if err := s.out.beat(); err != nil {
				return err
			}
		}
		for i := range events {
			if err := s.send(ctx, &events[i]); err != nil {
				return err
			}
		}
	}
}

// fromTail reads on its own, for one who was away for longer than the feed keeps events.
func (s *eventSender) fromTail(ctx context.Context) error {
	select {
	case s.api.tails <- struct{}{}:
		defer func() { <-s.api.tails }()
	default:
		return nil // the client tries again
	}
	return s.api.cfg.Events.Tail(ctx, s.at, func(partition int32, offset int64, record orchestrator.Record) error {
		return s.send(ctx, &feedEvent{partition, offset, record})
	})
}

func (s *eventSender) send(ctx context.Context, e *feedEvent) error {
	s.at[e.partition] = e.offset + 1
	event, ok := s.render(ctx, &e.record)
	if !ok {
		return nil
	}
	return s.out.event(s.at.String(), event.Fact.Type, event)
}

// render is the event as the principal may see it; false: not at all. One without a tenant is nobody's (S23).
func (s *eventSender) render(ctx context.Context, r *orchestrator.Record) (client.Event, bool) {
	h := map[string]string{}
	for _, each := range r.Headers {
		h[each.Key] = string(each.Value)
	}
	if h[headerTenant] != s.who.Tenant || s.who.Tenant == "" || s.only != "" && s.only != h[headerSaga] {
		return client.Event{}, false
	}
	version, err := strconv.Atoi(h[headerVersion])
	if err != nil {
		return client.Event{}, false
	}
	var fact saga.Fact
	if err := json.Unmarshal(r.Value, &fact); err != nil {
		s.api.log.WarnContext(ctx, "event cannot be read", "event_id", h[headerID], "error", fmt.Errorf("read the fact: %w", err))
		return client.Event{}, false
	}
	var hidden []string
	if !s.who.May(PermitPayloads) {
		def, err := s.api.cfg.Engine.Definition(ctx, s.who.Tenant, h[headerSaga], version)
		if err != nil {
			s.api.log.WarnContext(ctx, "event left out: its definition cannot be read", "event_id", h[headerID], "error", err)
			return client.Event{}, false
		}
		hidden = def.Redact
	}
	return client.Event{
		ID: h[headerID], Saga: h[headerSaga], Version: version, SagaID: h[headerSubject],
		Fact: renderFact(&fact, seeing(s.who, hidden)),
	}, true
}
