package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener is the process that listens on a TCP port of this machine: of several that share the socket the oldest, which is
// the parent of the others.
func (f FS) Listener(port int) (int, error) {
	sockets := map[string]bool{}
	var errs []error
	for _, file := range []string{"net/tcp", "net/tcp6"} {
		text, err := f.read(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, inode := range listening(text, port) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	if len(errs) == 2 {
		return 0, errors.Join(errs...)
	}
	if len(sockets) == 0 {
		return 0, fmt.Errorf("nobody listens on port %d", port)
	}
	all, err := f.all()
	if err != nil {
		return 0, err
	}
	var found []Stat
	for _, s := range all {
		if f.holds(s.PID, sockets) {
			found = append(found, s)
		}
	}
	for _, s := range found {
		if !slices.ContainsFunc(found, func(other Stat) bool { return other.PID == s.Parent }) {
			return s.PID, nil
		}
	}
	return 0, fmt.Errorf("the process that listens on port %d can't be seen", port)
}

// listening reads the inodes of sockets that listen on the port from /proc/net/tcp.
func listening(text string, port int) []string {
	var out []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != "0A" { // TCP_LISTEN
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
			out = append(out, fields[9])
		}
	}
	return out
}

func (f FS) holds(pid int, sockets map[string]bool) bool {
	folder := f.path(strconv.Itoa(pid) + "/fd")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false // ended, or somebody else's
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(folder, e.Name()))
		return err == nil && sockets[target]
	})
}
