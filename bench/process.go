package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

// process is a program of one side.
type process struct {
	name string
	cmd  *exec.Cmd
	done <-chan struct{} // closed when it has ended
	out  *tail           // what it printed last, errors too
}

// start starts a program that ends with this process.
func start(s *settings, name string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), out: &tail{}}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if s.verbose {
		p.out.also = os.Stderr
	}
	var err error
	if p.done, err = embedded.StartTied(p.cmd, syscall.SIGKILL); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end, and waits for it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(35 * time.Second): // a drain takes 30 s
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// failure says what the process printed last.
func (p *process) failure(err error) error {
	text := strings.TrimSpace(p.out.String())
	if text == "" {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return fmt.Errorf("%s: %w; it printed:\n%s", p.name, err, text)
}

// tail keeps the end of what is written to it.
type tail struct {
	also *os.File // nil: nowhere else

	mu   sync.Mutex // guards kept
	kept bytes.Buffer
}

const tailBytes = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.also != nil {
		_, _ = t.also.Write(b) // for a person who looks on
	}
	t.kept.Write(b)
	if over := t.kept.Len() - tailBytes; over > 0 {
		t.kept.Next(over)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// await polls until ready says so, while the process lives.
func (p *process) await(ctx context.Context, limit, every time.Duration, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ready(ctx) {
		select {
		case <-time.After(every):
		case <-p.done:
			return p.failure(fmt.Errorf("ended: %s", p.cmd.ProcessState))
		case <-ctx.Done():
			return p.failure(fmt.Errorf("not ready: %w", ctx.Err()))
		}
	}
	return nil
}

// answers reports whether url answers 200.
func answers(url string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
}

// listens reports whether somebody listens on addr.
func listens(addr string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}
}

// settle waits; false: ctx ended first.
func settle(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
