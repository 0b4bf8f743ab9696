package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrForbiddenAddress says that the receiver's name led to an address that may not be dialed.
var ErrForbiddenAddress = errors.New("the address may not be dialed")

// guard says which addresses may be dialed. It is asked with the resolved address, right before the connection is made.
type guard struct {
	networks []netip.Prefix // beside public addresses
	plain    bool           // http: networks alone
}

// control is a net.Dialer's Control.
func (g *guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrForbiddenAddress, address, err)
	}
	if why := g.forbids(at.Addr()); why != "" {
		return fmt.Errorf("%w: %s is %s", ErrForbiddenAddress, at.Addr(), why)
	}
	return nil
}

// forbids says why an address may not be dialed; empty: it may.
func (g *guard) forbids(addr netip.Addr) string {
	inner := unwrap(addr.WithZone(""))
	for _, n := range g.networks {
		if n.Contains(inner) {
			return ""
		}
	}
	switch {
	case g.plain:
		return "in none of webhook.networks, and http is for them alone"
	case !inner.IsGlobalUnicast(), inner.IsPrivate(), special(inner):
		return "no public address, and in none of webhook.networks"
	}
	return ""
}

// unwrap is the IPv4 address within an IPv6 one, in all the ways in which a router or the system may find it there.
func unwrap(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr
	}
	b := addr.As16()
	at := -1
	switch {
	case prefix("64:ff9b::/96").Contains(addr), prefix("::/96").Contains(addr): // NAT64; IPv4-compatible
		at = 12
	case prefix("2002::/16").Contains(addr): // 6to4
		at = 2
	}
	if at < 0 {
		return addr
	}
	return netip.AddrFrom4([4]byte(b[at : at+4]))
}

// special reports whether an address is set aside for something else than a host on the internet, beyond what netip knows.
func special(addr netip.Addr) bool {
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "fec0::/10",
	} {
		if prefix(p).Contains(addr) {
			return true
		}
	}
	return false
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }
