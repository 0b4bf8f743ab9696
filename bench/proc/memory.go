package proc

import (
	"fmt"
	"strconv"
	"strings"
)

// Memory is what the process has in memory (VmRSS), in bytes.
func (f FS) Memory(pid int) (int64, error) {
	return f.kilobytes(pid, "status", "VmRSS")
}

// TreeMemory is what the process and its descendants have in memory, in bytes; what they share counts once (Pss).
func (f FS) TreeMemory(pid int) (int64, error) {
	tree, err := f.Tree(pid)
	if err != nil {
		return 0, err
	}
	var sum int64
	read := 0
	for _, s := range tree {
		n, err := f.kilobytes(s.PID, "smaps_rollup", "Pss")
		if err != nil {
			continue // it ended
		}
		sum += n
		read++
	}
	if read == 0 {
		return 0, fmt.Errorf("the memory of process %d can't be read", pid)
	}
	return sum, nil
}

func (f FS) kilobytes(pid int, file, field string) (int64, error) {
	text, err := f.read(strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(value(text, field, ":"), " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s of process %d: %w", field, pid, err)
	}
	return n << 10, nil
}
