package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopOrphan stops a server that a killed parent left running on the data folder, and returns when it is gone. The caller
// holds the folder's lock, so no live parent owns that server. A process that merely has the stale file's pid is not ours
// and is left alone; Postgres itself sorts out such a file.
func (c cluster) stopOrphan(ctx context.Context) error {
	asked := false
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		pid, _, err := c.readPidFile()
		if err != nil || !runsOn(ctx, pid, c.data()) {
			return nil
		}
		if !asked {
			// SIGINT is Postgres's fast shutdown: sessions are cut off, data is safe.
			if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop the Postgres left running as process %d: %w", pid, err)
			}
			asked = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the Postgres left running as process %d to stop: %w", pid, ctx.Err())
		case <-tick.C:
		}
	}
}

// readPidFile reads process id and port from postmaster.pid. The port is 0 while the server has not written it yet.
func (c cluster) readPidFile() (pid, port int, err error) {
	content, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(string(content), "\n")
	if pid, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil || pid <= 1 {
		return 0, 0, fmt.Errorf("read process id %q", lines[0])
	}
	if len(lines) > 3 {
		port, _ = strconv.Atoi(strings.TrimSpace(lines[3])) // 0 when it isn't there yet
	}
	return pid, port, nil
}

// runsOn tells whether the process is a server on the data folder: a postmaster works in that folder, and is started with
// it as an argument. A zombie is not.
func runsOn(ctx context.Context, pid int, data string) bool {
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil {
		real, err := filepath.EvalSymlinks(data)
		return err == nil && cwd == real
	}
	if _, err := os.Stat("/proc/self/cwd"); err == nil {
		return false
	}
	out, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), data)
}
