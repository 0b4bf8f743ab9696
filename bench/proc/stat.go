package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// FS is where processes are read from.
type FS struct {
	// Root is the folder; empty: /proc.
	Root string
}

// hertz is the unit of times in /proc: USER_HZ, which is 100 on every Linux.
const hertz = 100

// Stat is what is read of one process.
type Stat struct {
	PID, Parent int
	Name        string
	Own         time.Duration // CPU time, user and system
	Reaped      time.Duration // CPU time of ended children that were waited for, and of theirs
}

func (f FS) path(name string) string {
	root := f.Root
	if root == "" {
		root = "/proc"
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

func (f FS) read(name string) (string, error) {
	b, err := os.ReadFile(f.path(name))
	return string(b), err
}

// Stat reads a process.
func (f FS) Stat(pid int) (Stat, error) {
	text, err := f.read(strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, err
	}
	s, err := parseStat(text)
	if err != nil {
		return Stat{}, fmt.Errorf("read the state of process %d: %w", pid, err)
	}
	return s, nil
}

// parseStat reads /proc/<pid>/stat: `pid (name) state parent ...`, where the name may hold blanks and brackets.
func parseStat(text string) (Stat, error) {
	open, last := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || last < open {
		return Stat{}, fmt.Errorf("no name in %q", text)
	}
	fields := strings.Fields(text[last+1:])
	if len(fields) < 15 {
		return Stat{}, fmt.Errorf("%d fields in %q", len(fields), text)
	}
	var errs []error
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		errs = append(errs, err)
		return n
	}
	ticks := func(a, b string) time.Duration { return time.Duration(number(a)+number(b)) * time.Second / hertz }
	s := Stat{
		PID: int(number(strings.TrimSpace(text[:open]))), Name: text[open+1 : last], Parent: int(number(fields[1])),
		Own: ticks(fields[11], fields[12]), Reaped: ticks(fields[13], fields[14]),
	}
	return s, errors.Join(errs...)
}

// CPU is the time that the process itself has used.
func (f FS) CPU(pid int) (time.Duration, error) {
	s, err := f.Stat(pid)
	return s.Own, err
}

// TreeCPU is the time that the process and all its descendants have used, ended ones too.
func (f FS) TreeCPU(pid int) (time.Duration, error) {
	tree, err := f.Tree(pid)
	var sum time.Duration
	for _, s := range tree {
		sum += s.Own + s.Reaped
	}
	return sum, err
}

// Tree is the process and its descendants.
func (f FS) Tree(pid int) ([]Stat, error) {
	top, err := f.Stat(pid)
	if err != nil {
		return nil, err
	}
	all, err := f.all()
	if err != nil {
		return nil, err
	}
	children := map[int][]Stat{}
	for _, s := range all {
		children[s.Parent] = append(children[s.Parent], s)
	}
	tree := []Stat{top}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].PID]...)
	}
	return tree, nil
}

// all are the processes that there are. One that ends meanwhile is left out.
func (f FS) all() ([]Stat, error) {
	entries, err := os.ReadDir(f.path("."))
	if err != nil {
		return nil, err
	}
	var out []Stat
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := f.Stat(pid); err == nil {
			out = append(out, s)
		}
	}
	return out, nil
}

// Busy is the CPU time that the whole machine has used since it started, with what a host took away (steal).
func (f FS) Busy() (time.Duration, error) {
	text, err := f.read("stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("read the machine's CPU time from %q", line)
	}
	var sum int64
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal; guests are in user
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the machine's CPU time: %w", err)
		}
		if i != 3 && i != 4 {
			sum += n
		}
	}
	return time.Duration(sum) * time.Second / hertz, nil
}
