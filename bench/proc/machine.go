package proc

import (
	"runtime"
	"strconv"
	"strings"
)

// Machine says what the figures were measured on. What can't be read is empty.
type Machine struct {
	CPUs        int    `json:"cpus"`
	CPU         string `json:"cpu,omitempty"`
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
	Kernel      string `json:"kernel,omitempty"`
	OS          string `json:"os"`
	Go          string `json:"go"`
}

// Machine describes this one.
func (f FS) Machine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if text, err := f.read("cpuinfo"); err == nil {
		m.CPU = strings.Join(strings.Fields(value(text, "model name", ":")), " ")
	}
	if text, err := f.read("meminfo"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSuffix(value(text, "MemTotal", ":"), " kB"), 10, 64); err == nil {
			m.MemoryBytes = n << 10
		}
	}
	if text, err := f.read("sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(text)
	}
	return m
}

// value is what stands behind the first line's name.
func value(text, name, separator string) string {
	for line := range strings.Lines(text) {
		key, rest, found := strings.Cut(line, separator)
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
