package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/bench/proc"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fixture is a run whose figures are made up.
func fixture() *Result {
	g := newGathering()
	round := func(rate, p50 float64) sample {
		s := sample{
			perSecond: rate, completedP50: p50, completedP99: 2 * p50, walBytes: 6_000, commits: 0.2, rowsInserted: 5, rowsUpdated: 3, rowsDeleted: 0.1,
			hotShare: 0.82, records: 6, batchEvents: 21, othersCPU: 0.01, cpuAll: 1.5,
		}
		for _, name := range processNames() {
			s[cpuPrefix+name], s[rssPrefix+name] = 0.375, 30<<20
		}
		return s
	}
	engine := func(rate, p50 float64) sample {
		s := round(rate, p50)
		s.add(sample{
			acceptedP50: p50 / 3, acceptedP95: p50 / 2, acceptedP99: p50, completedP95: 1.5 * p50, readyMS: 321, unfinished: 0, refused: 0, walBytes: 11_000,
			cpuAll: 3.3, commitMS: 4.2,
		})
		return s
	}
	for i := range 3 {
		n := float64(i)
		alone := engine(120+n, 8+n)
		alone.add(sample{waitedP50: 7 + n/10, waitedP95: 9, waitedP99: 12, waitedRate: 140})
		for inFlight, pair := range map[int][2]sample{1: {round(180+n, 5.2), alone}, 64: {round(1760+10*n, 34), engine(1200+20*n, 50)}, 1024: {round(6900-n, 140), engine(4300+n, 230)}} {
			into := of(g.closed, inFlight)
			into.floor, into.engine = append(into.floor, pair[0]), append(into.engine, pair[1])
		}
		into := of(g.open, 200)
		floor := round(0, 6)
		delete(floor, perSecond)
		into.floor, into.engine = append(into.floor, floor), append(into.engine, engine(200, 9+3*n))
		happy, undone := engine(1200, 50), engine(1000, 55)
		happy[commands], undone[commands] = 3600, 3200+n
		g.happy, g.undone = append(g.happy, happy), append(g.undone, undone)
	}
	beyond(g, engine)
	r := &Result{
		Schema: schemaVersion, At: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Seconds: 2700, Complete: true, Command: "make bench PARTS=all ROUNDS=3",
		Commit: "0123456789ab", Machine: proc.Machine{CPUs: 2, CPU: "A Fine CPU", MemoryBytes: 24 << 30, Kernel: "6.1.0", OS: "linux/amd64", Go: "go1.26.8"},
		Servers:  Servers{Postgres: "18.4", PostgresSettings: map[string]string{"fsync": "on", "shared_buffers": "128MB"}, Kafka: "4.1.0"},
		Settings: Settings{allParts(), 3, 10, 3, posters, 300, 20},
		asked:    &settings{stored: 1_000_000, waiting: 100_000, sizeInFlight: 64, replicasInFlight: 256},
	}
	r.fill(g)
	return r
}

// beyond adds size and replicas to what was gathered.
func beyond(g *gathering, engine func(rate, p50 float64) sample) {
	g.size = &sizing{fillSeconds: 250, bytes: 4 << 30, reads: []Read{
		{What: "newest", Path: "/v1/sagas?", Items: 50, Count: 300, P50: 4.2, P95: 6, P99: 9.1, Max: 12},
		{What: "label, rare", Path: "/v1/sagas?label=vip:yes", Items: 50, Count: 300, P50: 5, P95: 20, P99: 61, Max: 70},
		{What: "count", Path: "/v1/sagas?limit=50&count=true", Items: 50, Count: 300, P50: 150, P95: 190, P99: 210, Max: 400, Counts: true},
		{What: "page: overview", Path: "/", Items: 1, Count: 300, P50: 30, P95: 44, P99: 60, Max: 90, Page: true},
		{What: "page: sagas", Path: "/sagas", Items: 1, Count: 300, P50: 60, P95: 120, P99: 130, Max: 140, Page: true},
	}}
	for i := range 3 {
		n := float64(i)
		empty, filled := engine(1200+20*n, 50), engine(1180+20*n, 51)
		filled.add(sample{idleCPUOrchestrator: 0.004, idleCPUPostgres: 0.01, idleRSS: 60 << 20, rssPrefix + orchestratorProcess: 90 << 20})
		g.size.empty, g.size.filled = append(g.size.empty, empty), append(g.size.filled, filled)
		for replicas, factor := range map[int]float64{1: 1, 2: 1.2, 3: 1.5} {
			s := engine(2000-100*factor, 100)
			s[cpuPrefix+orchestratorProcess] *= factor
			g.replicas[replicas] = append(g.replicas[replicas], s)
		}
		for at, level := range watchLevels() {
			s := engine(20, 12)
			s.add(sample{busyCPUOrchestrator: 0.05 + 0.1*float64(at), busyCPUPostgres: 0.02, hints: float64(level.streams) / 2, pageReads: 0})
			g.watching[level] = append(g.watching[level], s)
		}
		for what, pause := range map[string]float64{changeJoin: 700, changeLeave: 400, changeKill: 7000} {
			g.pauses[what] = append(g.pauses[what], sample{pauseMS: pause + n, backMS: 2*pause + n, perSecond: 1500})
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "go test ./bench -update, and read the difference")
}

// What is written can be read again, and the page made from what was read.
func TestResult_JSONAndPage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	latest, doc := filepath.Join(folder, "results", "latest.json"), filepath.Join(folder, "benchmarks.md")
	require.NoError(t, fixture().write(latest))
	text, err := os.ReadFile(latest)
	require.NoError(t, err)
	golden(t, "latest.json", text)
	require.NoError(t, writePage(latest, doc))
	text, err = os.ReadFile(doc)
	require.NoError(t, err)
	golden(t, "benchmarks.golden", text)
}

func TestResult_Table(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	fixture().print(&b)
	golden(t, "table.golden", b.Bytes())
}

func TestResult_Ratios(t *testing.T) {
	t.Parallel()
	r := fixture()
	require.InDelta(t, 1220.0/1770, r.RatioToFloor["64"], 1e-9)
	require.InDelta(t, 1770, r.FloorPerSecond["64"], 0)
	require.InDelta(t, 1220, r.EnginePerSecond["64"], 0)
	met := map[string]bool{}
	for _, goal := range r.Goals {
		met[goal.What] = goal.Met
	}
	require.Equal(t, map[string]bool{
		"one saga alone, p50 from request to completed": true, "`skald serve` ready": true,
		"three-step saga at 64 in flight": true, "three-step saga at 1,024 in flight": false,
		"CPU of a saga at 64 in flight, all processes but the driver": false, "CPU of a saga at 1,024 in flight, all processes but the driver": false,
		"WAL of a saga at 64 in flight": true, "WAL of a saga at 1,024 in flight": true,
		"p99 from when a start was due to completed, at 200/s": true, "a tenth undone, commands answered": true,
		"throughput with 1,000,000 sagas stored": true, "engine memory with 100,000 sagas waiting, under load": true,
		"`skald serve` ready with 1,000,000 sagas stored":                              true,
		"slowest list or read with 1,000,000 sagas stored (label, rare), p99":          false,
		"rows that lists and reads read in sequence":                                   true,
		"slowest page of the dashboard with 1,000,000 sagas stored (page: sagas), p95": false,
		"CPU of the engines for a saga, 2 replicas":                                    true, "CPU of the engines for a saga, 3 replicas": false,
	}, met)
	require.InDelta(t, 1.5, r.Replicas.Numbers[2].ToOne[cpuPrefix+orchestratorProcess].Median, 1e-9)
	require.InDelta(t, 7.1/5.2, r.Closed[0].Ratios[waitedP50].Median, 1e-9, "a start that waits, beside what the floor says of itself")
}

func TestResult_WarnsOfABusyMachineAndAnInterruption(t *testing.T) {
	t.Parallel()
	r := fixture()
	r.Complete = false
	r.Closed[1].Engine[othersCPU] = figure([]float64{0, 0.3, 0})
	for _, write := range []func(*bytes.Buffer){func(b *bytes.Buffer) { r.print(b) }, func(b *bytes.Buffer) { r.page(b) }} {
		var b bytes.Buffer
		write(&b)
		require.Contains(t, strings.ToLower(b.String()), "not quote these")
		require.Contains(t, b.String(), "30 %")
		require.Contains(t, b.String(), "these: 64 in flight")
		require.Contains(t, b.String(), "interrupted")
	}
}

func TestReadResult_OfAnotherSchema(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "latest.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"ratio_to_floor":{"1":1}}`), 0o644))
	require.ErrorContains(t, writePage(file, "-"), "schema 0")
	require.ErrorIs(t, writePage(file+"x", "-"), os.ErrNotExist)
}

// README.md says what every field and every measure is.
func TestReadme_NamesEverything(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	readme := string(text)
	for _, m := range measures() {
		require.Contains(t, readme, "`"+m.key+"`")
	}
	var named func(t reflect.Type, names map[string]bool)
	named = func(t reflect.Type, names map[string]bool) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			named(t.Elem(), names)
		case reflect.Struct:
			for i := range t.NumField() {
				if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
					names[name] = true
					named(t.Field(i).Type, names)
				}
			}
		default:
		}
	}
	names := map[string]bool{}
	named(reflect.TypeFor[Result](), names)
	require.Greater(t, len(names), 30)
	for name := range names {
		require.Contains(t, readme, "`"+name+"`")
	}
	for _, part := range allParts() {
		require.Contains(t, readme, "| `"+part+"` |")
	}
}

// Whatever a round yields has a title.
func TestMeasures_AreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range measures() {
		require.False(t, seen[m.key], m.key)
		seen[m.key] = true
		require.NotEmpty(t, m.title)
		require.NotZero(t, m.factor, m.key)
	}
	raw, err := json.Marshal(fixture().Closed)
	require.NoError(t, err)
	var sides []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &sides))
	for _, s := range sides {
		var engine map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(s["engine"], &engine))
		for key := range engine {
			require.True(t, seen[key], key)
		}
	}
}

// A throughput whose rounds are all below those on an empty database has slipped, however little.
func TestGoals_ThroughputAtSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		empty, filled []float64
		met           bool
	}{{[]float64{100, 110}, []float64{90, 101}, true}, {[]float64{100, 110}, []float64{90, 99}, false}, {[]float64{100}, []float64{130}, true}} {
		g := newGathering()
		g.size = &sizing{}
		for i := range c.empty {
			g.size.empty, g.size.filled = append(g.size.empty, sample{perSecond: c.empty[i]}), append(g.size.filled, sample{perSecond: c.filled[i]})
		}
		r := &Result{}
		r.fill(g)
		require.Len(t, r.Goals, 1)
		require.Equal(t, c.met, r.Goals[0].Met, "%v", c)
	}
}
