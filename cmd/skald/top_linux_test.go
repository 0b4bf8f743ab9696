package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// screen is what a terminal shows of what is written to it, as far as skald steers one.
type screen struct {
	mu        sync.Mutex // guards what follows
	lines     [][]rune
	row, col  int
	alternate bool
	hidden    bool // the cursor
	rest      []byte
}

// Write shows more.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(append(s.rest, p...))
	s.rest = nil
	for text != "" {
		r := []rune(text)[0]
		switch {
		case r == '\x1b':
			end := strings.IndexFunc(text[1:], func(r rune) bool { return r != '[' && r >= '@' && r <= '~' })
			if end < 0 { // the rest of it comes with the next read
				s.rest = []byte(text)
				return len(p), nil
			}
			s.steer(text[2 : end+2])
			text = text[end+2:]
			continue
		case r == '\n':
			s.row++
		case r == '\r':
			s.col = 0
		default:
			s.put(r)
		}
		text = text[len(string(r)):]
	}
	return len(p), nil
}

func (s *screen) steer(code string) {
	s.put(0)
	switch code {
	case "?1049h", "?1049l":
		s.alternate = code == "?1049h"
	case "?25l", "?25h":
		s.hidden = code == "?25l"
	case "H":
		s.row, s.col = 0, 0
	case "K":
		s.lines[s.row] = s.lines[s.row][:min(s.col, len(s.lines[s.row]))]
	case "J":
		s.lines = s.lines[:s.row+1]
		s.lines[s.row] = s.lines[s.row][:min(s.col, len(s.lines[s.row]))]
	}
}

// put writes one character; 0 only makes sure that the line is there.
func (s *screen) put(r rune) {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
	if r == 0 {
		return
	}
	for len(s.lines[s.row]) <= s.col {
		s.lines[s.row] = append(s.lines[s.row], ' ')
	}
	s.lines[s.row][s.col] = r
	s.col++
}

func (s *screen) shown() (text string, alternate, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		text += strings.TrimRight(string(line), " ") + "\n"
	}
	return text, s.alternate, s.hidden
}

// terminal is a pseudo-terminal: what is written to the file is shown on the screen.
func terminal(t *testing.T) (*os.File, *screen) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no pseudo-terminals: %v", err)
	}
	control := func(request uintptr, value *uint32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	var lock, number uint32
	control(syscall.TIOCSPTLCK, &lock)
	control(syscall.TIOCGPTN, &number)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	s := &screen{}
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			if err != nil { // the other end is closed
				return
			}
			_, _ = s.Write(buffer[:n])
		}
	})
	t.Cleanup(func() {
		_ = slave.Close()
		reading.Wait()
		_ = master.Close()
	})
	return slave, s
}

// TestTop_Redraws: on a terminal each look takes the place of the one before, with nothing of it left; a server that does not answer is
// said, and asked again; at the end the screen is as it was.
func TestTop_Redraws(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards stats
	stats := `{"live":7,"by_status":{"running":6,"suspended":1},"by_cause":{"reply":7},"by_definition":{"order-placement":7},"by_participant":{},"with_attention":0,"quarantined":0}`
	says := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		stats = text
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/v1/events":
			w.Header().Set("Content-Type", "text/event-stream")
		case stats == "":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":503,"code":"unavailable","title":"away","detail":"the database cannot be reached"}`))
		case r.URL.Path == "/v1/stats":
			_, _ = w.Write([]byte(stats))
		default:
			_, _ = w.Write([]byte(`{"items":[]}`))
		}
	}))
	defer server.Close()
	out, s := terminal(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"top", "--server", server.URL, "--every", "100ms", "--color", "never"}, streams{strings.NewReader(""), out, out})
	}()
	var text string
	waits := func(want string, never ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			shown, alternate, hidden := s.shown()
			text = shown
			for _, old := range never {
				if strings.Contains(shown, old) {
					return false
				}
			}
			return alternate && hidden && strings.Contains(shown, want)
		}, 20*time.Second, 10*time.Millisecond, "%s", want)
	}
	waits("7 live")
	require.Contains(t, text, "status         running 6   suspended 1\n")
	require.Contains(t, text, "every 100ms, Ctrl-C ends it")
	says(`{"live":1,"by_status":{"running":1},"by_cause":{},"by_definition":{},"by_participant":{},"with_attention":0,"quarantined":0}`)
	waits("1 live", "suspended", "waits for", "definition", "7 live")
	require.Equal(t, 1, strings.Count(text, "skald top"), "one page, not two:\n%s", text)
	require.Equal(t, 1, strings.Count(text, "Ctrl-C"), "\n%s", text)
	says("")
	waits("no answer", "live", "running")
	require.Contains(t, text, "the database cannot be reached")
	says(`{"live":2,"by_status":{"running":2},"by_cause":{},"by_definition":{},"by_participant":{},"with_attention":0,"quarantined":0}`)
	waits("2 live", "no answer")
	stop()
	require.Zero(t, <-ended)
	require.Eventually(t, func() bool {
		_, alternate, hidden := s.shown()
		return !alternate && !hidden
	}, 5*time.Second, 10*time.Millisecond, "the screen as it was, and the cursor")
}
