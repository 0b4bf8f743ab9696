package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	ckafka "github.com/skaldhq/skald/participants/conformance/kafka"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

// stopWithin is how long a participant may drain before it is killed.
const stopWithin = 15 * time.Second

var _ ckafka.Process = (*startedParticipant)(nil)

// startedParticipant is a participant that a shell command runs, in a process group of its own: what the command starts dies with it.
type startedParticipant struct {
	command string
	env     []string
	file    *os.File // nil: the end is kept
	tail    tailWriter
	cmd     *exec.Cmd
	done    <-chan struct{}
}

func (cmd *conformanceCmd) process() (*startedParticipant, error) {
	p := &startedParticipant{command: cmd.Start, env: append(os.Environ(),
		"SKALD_KAFKA_BROKERS="+strings.Join(cmd.Brokers, ","), "SKALD_TOPICS_PREFIX="+cmd.Prefix)}
	if cmd.Log != "" {
		file, err := os.Create(cmd.Log)
		if err != nil {
			return nil, &hinted{code: exitUsage, err: fmt.Errorf("open the log: %w", err)}
		}
		p.file = file
	}
	return p, nil
}

// Start implements kafka.Process.
func (p *startedParticipant) Start() error {
	var out io.Writer = &p.tail
	if p.file != nil {
		out = io.MultiWriter(out, p.file)
	}
	p.cmd = exec.Command("sh", "-c", p.command)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, out, out
	p.cmd.WaitDelay = 5 * time.Second
	done, err := embedded.StartTied(p.cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	p.done = done
	return nil
}

// Err implements kafka.Process.
func (p *startedParticipant) Err() error {
	select {
	case <-p.done:
		return fmt.Errorf("%q has ended: %s", p.command, p.cmd.ProcessState)
	default:
		return nil
	}
}

// Kill implements kafka.Process.
func (p *startedParticipant) Kill() error { return p.end(syscall.SIGKILL, stopWithin) }

// Stop implements kafka.Process.
func (p *startedParticipant) Stop() error {
	if err := p.end(syscall.SIGTERM, stopWithin); err == nil {
		return nil
	}
	return p.Kill()
}

// end sends the group a signal and waits for the command.
func (p *startedParticipant) end(sig syscall.Signal, limit time.Duration) error {
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%q still runs after %s", p.command, limit)
	}
}

// printed is the end of what it printed.
func (p *startedParticipant) printed() string { return strings.TrimSpace(p.tail.String()) }

func (p *startedParticipant) close() {
	if p.file != nil {
		_ = p.file.Close() // it is a log
	}
}

// tailWriter keeps the end of what is written. It is safe for concurrent use.
type tailWriter struct {
	mu   sync.Mutex // guards text
	text []byte
}

// Write keeps the end.
func (t *tailWriter) Write(b []byte) (int, error) {
	const most = 4000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - most; over > 0 {
		t.text = bytes.Clone(t.text[over:])
	}
	return len(b), nil
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
