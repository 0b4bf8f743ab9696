package stack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

// Process is a running skald. It ends with the test, and with the test process, however that ends.
type Process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done <-chan struct{}
	Out  *Buffer // standard output
	Err  *Buffer // standard error: the log
}

// Start runs skald with args. env has entries such as SKALD_HTTP_ADDR=...; of the test's own environment nothing that begins
// with SKALD_ is handed on. What it said is shown when the test fails.
func Start(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	return start(t, Binary(t), env, args...)
}

// StartTagged is Start of a binary that is built with a tag.
func StartTagged(t testing.TB, tag string, env []string, args ...string) *Process {
	t.Helper()
	return start(t, Tagged(t, tag), env, args...)
}

func start(t testing.TB, path string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, name: strings.Join(args, " "), Out: &Buffer{}, Err: &Buffer{}}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(CleanEnv(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Out, p.Err
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	// SIGKILL: a killed test must leave nothing that runs on.
	if p.done, err = embedded.StartTied(p.cmd, syscall.SIGKILL); err != nil {
		t.Fatalf("start skald %s: %v", p.name, err)
	}
	t.Cleanup(p.end)
	return p
}

// CleanEnv is the test's environment without settings of skald, but for where Postgres comes from.
func CleanEnv() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "SKALD_") || name == "SKALD_DEV_PG_REPO" {
			env = append(env, entry)
		}
	}
	return env
}

func (p *Process) end() {
	if p.Running() {
		p.signal(syscall.SIGTERM)
		if err := p.Wait(40 * time.Second); err != nil {
			p.t.Errorf("skald %s does not drain: %v", p.name, err)
			p.Kill()
		}
	}
	<-p.done
	if strings.Contains(p.Err.String(), "DATA RACE") { // of a binary that is built with the detector
		p.t.Errorf("skald %s has a data race:\n%s", p.name, p.Err)
	}
	if p.t.Failed() {
		p.t.Logf("skald %s\n%s%s", p.name, p.Out.Tail(), p.Err.Tail())
	}
}

// Running reports whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *Process) signal(sig syscall.Signal) {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal skald %s: %v", p.name, err)
	}
}

// Interrupt asks it to end, as Ctrl-C does.
func (p *Process) Interrupt() { p.signal(syscall.SIGINT) }

// Terminate asks it to end, as whoever deploys does.
func (p *Process) Terminate() { p.signal(syscall.SIGTERM) }

// Kill ends it as a crash would, and returns when it is gone.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Wait waits for its end.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("skald %s still runs after %s", p.name, limit)
	}
}

// ExitCode is what it ended with; -1 when a signal ended it.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Buffer gathers output. It is safe for concurrent use.
type Buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write appends.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is all of it.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Tail is its end, for messages.
func (b *Buffer) Tail() string {
	const most = 4000
	text := b.String()
	return text[max(0, len(text)-most):]
}
