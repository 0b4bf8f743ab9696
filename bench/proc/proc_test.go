package proc

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// A name may hold anything, as those of Postgres's processes do.
	got, err := parseStat("4711 (postgres: a) b (c) S 4700 4711 4711 0 -1 4194560 5000 100 0 0 1234 566 70 30 20 0 1 0 99 1000 200 18446744073709551615")
	require.NoError(t, err)
	require.Equal(t, Stat{PID: 4711, Parent: 4700, Name: "postgres: a) b (c", Own: 18 * time.Second, Reaped: time.Second}, got)
	for _, bad := range []string{"", "4711 postgres S 1", "4711 (x) S 1", "x (x) S 1 1 1 0 -1 1 5 1 0 0 1 5 7 3", "1 (x) S 1 1 1 0 -1 1 5 1 0 0 a 5 7 3"} {
		_, err := parseStat(bad)
		require.Error(t, err, "%q", bad)
	}
}

// world makes a /proc with a server of three processes, one of them a grandchild, and a stranger.
func world(t *testing.T) FS {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	process := func(pid, parent, ticks, reaped, kilobytes int, socket string) {
		folder := fmt.Sprint(pid)
		write(folder+"/stat", fmt.Sprintf("%d (p) S %d 1 1 0 -1 0 0 0 0 0 %d 0 %d 0 20 0 1 0 9 0 0", pid, parent, ticks, reaped))
		write(folder+"/status", fmt.Sprintf("Name:\tp\nVmHWM:\t 99 kB\nVmRSS:\t %d kB\n", kilobytes))
		write(folder+"/smaps_rollup", fmt.Sprintf("55-77 ---p 0 00:00 0 [rollup]\nRss:   %d kB\nPss:   %d kB\nPss_Anon:  1 kB\n", kilobytes, kilobytes/2))
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder, "fd"), 0o755))
		if socket != "" {
			require.NoError(t, os.Symlink("socket:["+socket+"]", filepath.Join(root, folder, "fd", "3")))
		}
	}
	process(100, 1, 100, 50, 1000, "777")
	process(120, 100, 200, 0, 2000, "777") // inherited
	process(90, 120, 300, 0, 3000, "")
	process(500, 1, 9999, 0, 9999, "778")
	write("net/tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"+
		"   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 777 1 0 100 0 0 10 0\n"+
		"   1: 0100007F:1539 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 778 1 0 100 0 0 10 0\n"+
		"   2: 0100007F:1538 0100007F:9999 01 00000000:00000000 00:00000000 00000000   105        0 779 1 0 100 0 0 10 0\n")
	write("stat", "cpu  100 20 30 5000 700 1 2 47 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	write("cpuinfo", "processor\t: 0\nmodel name\t: A   Fine CPU @ 3 GHz\nprocessor\t: 1\nmodel name\t: another\n")
	write("meminfo", "MemTotal:       24681234 kB\nMemFree: 1 kB\n")
	write("sys/kernel/osrelease", "6.1.0\n")
	return FS{Root: root}
}

func TestTree_SumsWithEndedAndYoungerDescendants(t *testing.T) {
	t.Parallel()
	f := world(t)
	own, err := f.CPU(100)
	require.NoError(t, err)
	require.Equal(t, time.Second, own)
	cpu, err := f.TreeCPU(100)
	require.NoError(t, err)
	require.Equal(t, 6500*time.Millisecond, cpu)
	rss, err := f.Memory(100)
	require.NoError(t, err)
	require.EqualValues(t, 1000<<10, rss)
	memory, err := f.TreeMemory(100)
	require.NoError(t, err)
	require.EqualValues(t, 3000<<10, memory)
	_, err = f.TreeCPU(4)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = f.Memory(4)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestListener_IsTheParentOfThoseThatShareTheSocket(t *testing.T) {
	t.Parallel()
	f := world(t)
	pid, err := f.Listener(0x1538)
	require.NoError(t, err)
	require.Equal(t, 100, pid)
	_, err = f.Listener(1)
	require.ErrorContains(t, err, "nobody listens on port 1")
}

func TestBusy_LeavesOutIdleAndCountsSteal(t *testing.T) {
	t.Parallel()
	busy, err := world(t).Busy()
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, busy)
	_, err = FS{Root: t.TempDir()}.Busy()
	require.Error(t, err)
}

func TestMachine(t *testing.T) {
	t.Parallel()
	require.Equal(t, Machine{
		CPUs: runtime.NumCPU(), CPU: "A Fine CPU @ 3 GHz", MemoryBytes: 24681234 << 10, Kernel: "6.1.0", OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(),
	}, world(t).Machine())
	require.Empty(t, FS{Root: t.TempDir()}.Machine().CPU)
}

// The real /proc: this process, a child that works and ends, and a listener.
func TestThisProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	var f FS
	self := os.Getpid()
	before, err := f.TreeCPU(self)
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
	require.NoError(t, cmd.Run())
	after, err := f.TreeCPU(self)
	require.NoError(t, err)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	require.GreaterOrEqual(t, after-before, used-20*time.Millisecond, "an ended child's time stays with its parent")
	rss, err := f.Memory(self)
	require.NoError(t, err)
	require.Greater(t, rss, int64(1<<20))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	pid, err := f.Listener(l.Addr().(*net.TCPAddr).Port)
	require.NoError(t, err)
	require.Equal(t, self, pid)
}
