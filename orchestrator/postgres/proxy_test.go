package postgres_test

import (
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// proxy stands between a store and Postgres and loses what it is told to.
type proxy struct {
	listener net.Listener
	server   string
	work     sync.WaitGroup

	mu    sync.Mutex // guards all below
	lose  loss
	down  bool
	conns []net.Conn
}

// loss says what is lost once it is set.
type loss int

const (
	nothing  loss = iota
	requests      // what the client sends next does not arrive
	answers       // what the server answers next does not arrive
	silence       // nothing arrives any more, and no connection ends
)

// newProxy returns the proxy and the connection string that leads through it.
func newProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	p := &proxy{listener: listener, server: address}
	p.work.Add(1)
	go p.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		p.hangUp()
		p.work.Wait()
	})
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	u.Host = listener.Addr().String()
	return p, u.String()
}

// set makes the proxy lose something, and with down also refuse new connections.
func (p *proxy) set(l loss, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose, p.down = l, down
}

// hangUp ends all connections.
func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) accept() {
	defer p.work.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.server)
		if err != nil || down {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.work.Add(2)
		go p.pump(client, server, requests)
		go p.pump(server, client, answers)
	}
}

func (p *proxy) pump(from, to net.Conn, kind loss) {
	defer p.work.Done()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		lose := p.lose
		p.mu.Unlock()
		switch {
		case err != nil && lose == silence:
			return
		case err != nil || lose == kind:
			_ = from.Close()
			_ = to.Close()
			return
		case lose == silence:
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			_ = from.Close()
			return
		}
	}
}
