package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// SagaList is one page of a list of sagas.
type SagaList struct {
	Items      []Saga `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Absent: this was the last page"`
	Count      *int64 `json:"count,omitempty" doc:"With count=true: how many there are"`
	AtLeast    *int64 `json:"count_at_least,omitempty" doc:"With count=true, when counting took too long: a lower bound"`
}

// SagaFilter filters a list of sagas; zero fields do not filter.
type SagaFilter struct {
	Saga          string
	Version       int // of the definition
	Status        []Status
	Verdict       string // of those that have ended: committed, cleanly_aborted, residue
	Attention     string // a reason, or "any"
	BlockedOn     string // a cause: reply, backoff, hold, attention, unpublished
	Participant   string // that live sagas wait for
	Key           string
	Labels        map[string]string
	CreatedAfter  time.Time
	CreatedBefore time.Time
	Order         string // newest or oldest, which come first; empty: newest
	Limit         int    // of one page, 1..500; 0: 50
	Cursor        string // SagaList.NextCursor of the page before, under the same filter
	Count         bool
}

func (f SagaFilter) query() url.Values {
	q := url.Values{}
	set(q, "saga", f.Saga)
	setInt(q, "version", int64(f.Version))
	set(q, "verdict", f.Verdict)
	for _, s := range f.Status {
		q.Add("status", string(s))
	}
	set(q, "attention", f.Attention)
	set(q, "blocked_on", f.BlockedOn)
	set(q, "participant", f.Participant)
	set(q, "key", f.Key)
	for k, v := range f.Labels {
		q.Add("label", k+":"+v)
	}
	slices.Sort(q["label"])
	setTime(q, "created_after", f.CreatedAfter)
	setTime(q, "created_before", f.CreatedBefore)
	set(q, "order", f.Order)
	setInt(q, "limit", int64(f.Limit))
	set(q, "cursor", f.Cursor)
	if f.Count {
		q.Set("count", "true")
	}
	return q
}

// Sagas lists one page of sagas, newest first.
func (c *Client) Sagas(ctx context.Context, filter SagaFilter) (SagaList, error) {
	var list SagaList
	_, err := c.call(ctx, http.MethodGet, "/v1/sagas", filter.query(), nil, &list)
	return list, err
}

// AllSagas walks over all pages of a list. It stops at the first error, which it yields with a zero Saga.
func (c *Client) AllSagas(ctx context.Context, filter SagaFilter) iter.Seq2[Saga, error] {
	return pages(func(cursor string) ([]Saga, string, error) {
		if cursor != "" {
			filter.Cursor = cursor
		}
		list, err := c.Sagas(ctx, filter)
		return list.Items, list.NextCursor, err
	})
}

// pages turns pages into a sequence of items.
func pages[T any](page func(cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			items, next, err := page(cursor)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setInt(q url.Values, name string, value int64) {
	if value != 0 {
		q.Set(name, strconv.FormatInt(value, 10))
	}
}

func setTime(q url.Values, name string, at time.Time) {
	if !at.IsZero() {
		q.Set(name, at.Format(time.RFC3339Nano))
	}
}
