package auth

import (
	"sync"
	"time"
)

// cacheSize bounds a cache: those who guess fill it with ids that nobody has.
const cacheSize = 10_000

// cache keeps what the database said, for CacheFor. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	now func() time.Time

	mu      sync.Mutex // guards entries
	entries map[K]cached[V]
}

type cached[V any] struct {
	value V
	at    time.Time // when the database was asked
}

func newCache[K comparable, V any](now func() time.Time) *cache[K, V] {
	return &cache[K, V]{now: now, entries: map[K]cached[V]{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || c.now().Sub(e.at) >= CacheFor {
		var none V
		return none, false
	}
	return e.value, true
}

// put keeps what was asked for at that time. A full cache begins anew.
func (c *cache[K, V]) put(key K, value V, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= cacheSize {
		clear(c.entries)
	}
	c.entries[key] = cached[V]{value, at}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}
