package webhook

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	open, closed := guard{}, guard{networks: []netip.Prefix{prefix("10.1.0.0/16"), prefix("fd00:1::/32")}}
	for _, public := range []string{"8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"} {
		require.Empty(t, open.forbids(netip.MustParseAddr(public)), public)
	}
	for _, no := range []string{
		"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "10.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"fe80::1%eth0", "fd00::1", "fd00:ec2::254", "224.0.0.1", "ff02::1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
		"::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:a00:1::", "2001:db8::1",
	} {
		require.NotEmpty(t, open.forbids(netip.MustParseAddr(no)), no)
	}
	for addr, allowed := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00:1::7": true, "10.2.0.1": false, "169.254.169.254": false, "8.8.8.8": true,
	} {
		require.Equal(t, allowed, closed.forbids(netip.MustParseAddr(addr)) == "", addr)
	}
	plain := guard{networks: closed.networks, plain: true}
	require.NotEmpty(t, plain.forbids(netip.MustParseAddr("8.8.8.8")), "http is for private networks alone")
	require.Empty(t, plain.forbids(netip.MustParseAddr("10.1.2.3")))
	require.ErrorIs(t, plain.control("tcp", "nonsense", nil), ErrForbiddenAddress)
}
