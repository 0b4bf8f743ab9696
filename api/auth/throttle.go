package auth

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one address may try to sign in with what is wrong.
const (
	triesAtOnce = 10
	tryEvery    = 6 * time.Second // beyond them
)

// throttle counts failed tries to sign in by address. Who comes through a proxy has the proxy's: headers can be made up.
type throttle struct {
	mu sync.Mutex // guards by
	by map[netip.Prefix]*rate.Limiter
}

func newThrottle() *throttle { return &throttle{by: map[netip.Prefix]*rate.Limiter{}} }

// wait is how long the address has to wait before it may try; 0: it may now.
func (t *throttle) wait(remote string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.by[network(remote)]
	if l == nil || l.TokensAt(now) >= 1 {
		return 0
	}
	return time.Duration((1 - l.TokensAt(now)) * float64(tryEvery))
}

// failed counts a failed try.
func (t *throttle) failed(remote string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := network(remote)
	l := t.by[key]
	if l == nil {
		if len(t.by) >= cacheSize {
			clear(t.by)
		}
		l = rate.NewLimiter(rate.Every(tryEvery), triesAtOnce)
		t.by[key] = l
	}
	l.AllowN(now, 1)
}

// network is an IPv4 address, or the /64 that an IPv6 one is from: whoever has one has all of it.
func network(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // bits fit
	return prefix
}
