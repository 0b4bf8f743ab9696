package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/skaldhq/skald/bench/load"
)

// The measures of a round. Which of them a side has depends on what can be seen of it from outside.
const (
	perSecond    = "per_second"
	acceptedP50  = "accepted_p50_ms"
	acceptedP95  = "accepted_p95_ms"
	acceptedP99  = "accepted_p99_ms"
	completedP50 = "completed_p50_ms"
	completedP95 = "completed_p95_ms"
	completedP99 = "completed_p99_ms"
	waitedP50    = "waited_p50_ms"
	waitedP95    = "waited_p95_ms"
	waitedP99    = "waited_p99_ms"
	waitedRate   = "waited_per_second"
	commands     = "commands_per_second"
	unfinished   = "unfinished"
	refused      = "refused"
	leftOut      = "left_out"
	sentLate     = "sent_late_p99_ms"
	cpuAll       = "cpu_all"
	cpuPrefix    = "cpu_"
	rssPrefix    = "rss_"
	walBytes     = "wal_bytes"
	commits      = "commits"
	rowsInserted = "rows_inserted"
	rowsUpdated  = "rows_updated"
	rowsDeleted  = "rows_deleted"
	hotShare     = "hot_updates"
	records      = "records"
	batchEvents  = "batch_events"
	commitMS     = "commit_ms"
	readyMS      = "ready_ms"
	othersCPU    = "others_cpu"

	idleCPUOrchestrator = "idle_cpu_orchestrator"
	idleCPUPostgres     = "idle_cpu_postgres"
	idleRSS             = "idle_rss_orchestrator"
	busyCPUOrchestrator = "busy_cpu_orchestrator"
	busyCPUPostgres     = "busy_cpu_postgres"
	hints               = "hints_per_second"
	pageReads           = "pages_per_second"
	pauseMS             = "pause_ms"
	backMS              = "back_ms"
)

// The processes whose costs are told apart.
const (
	driverProcess       = "driver"
	orchestratorProcess = "orchestrator"
	participantsProcess = "participants"
	postgresProcess     = "postgres"
	kafkaProcess        = "kafka"
)

func processNames() []string {
	return []string{orchestratorProcess, participantsProcess, postgresProcess, kafkaProcess, driverProcess}
}

// measure says what a measure is.
type measure struct {
	key, title, meaning string
	digits              int // behind the point
	factor              float64
}

// measures are all of them, in the order in which people read them.
func measures() []measure {
	list := []measure{
		{perSecond, "sagas/s", "sagas that ended in a second of the measured span", 0, 1},
		{commands, "commands/s", "commands answered in a second: 3 of a saga that completed, 5 of one that was undone", 0, 1},
		{acceptedP50, "accepted p50, ms", "from the request (open loop: from when it was due) to the answer that the saga is stored", 2, 1},
		{acceptedP95, "accepted p95, ms", "", 2, 1},
		{acceptedP99, "accepted p99, ms", "", 2, 1},
		{completedP50, "completed p50, ms", "from the request (open loop: from when it was due) to the end as an outside system learns of it, from the lifecycle event in " +
			"Kafka; of the floor as it says itself: from when its orchestrator takes the request to its last commit", 2, 1},
		{completedP95, "completed p95, ms", "the floor does not say", 2, 1},
		{completedP99, "completed p99, ms", "", 2, 1},
		{waitedP50, "waited p50, ms", "from the request to its answer where the request waits for the end (`?wait=`), one saga in flight", 2, 1},
		{waitedP95, "waited p95, ms", "", 2, 1},
		{waitedP99, "waited p99, ms", "", 2, 1},
		{waitedRate, "waited, sagas/s", "sagas that ended in a second while each request waits for the end, one in flight", 0, 1},
		{sentLate, "sent late p99, ms", "how late the driver sent a start; part of the latencies of the open loop", 2, 1},
		{unfinished, "unfinished", "sagas that had not ended 30 s after the last start", 0, 1},
		{refused, "refused", "starts that got no saga", 0, 1},
		{leftOut, "left out", "starts that the driver did not send, because too many sagas were under way", 0, 1},
		{cpuAll, "CPU s/1,000, all but the driver", "CPU seconds of 1,000 sagas: the orchestrator, the participants, Postgres and Kafka", 2, 1},
	}
	for _, name := range processNames() {
		list = append(list, measure{cpuPrefix + name, "CPU s/1,000, " + name, "CPU seconds of 1,000 sagas", 2, 1})
	}
	list = append(list,
		measure{walBytes, "WAL, bytes/saga", "bytes written ahead by the whole server", 0, 1},
		measure{commits, "writing transactions/saga", "transactions that wrote something", 2, 1},
		measure{rowsInserted, "rows inserted/saga", "over the whole round", 2, 1},
		measure{rowsUpdated, "rows updated/saga", "over the whole round", 2, 1},
		measure{rowsDeleted, "rows deleted/saga", "over the whole round", 2, 1},
		measure{hotShare, "HOT updates, %", "share of the updates that touch no index", 0, 100},
		measure{records, "Kafka records/saga", "commands, replies and events, over the whole round", 2, 1},
		measure{batchEvents, "events/transaction", "mean size of the committer's batches; the floor's hold replies alone", 1, 1},
		measure{commitMS, "transaction, ms", "mean time of the committer's transactions", 2, 1},
	)
	for _, name := range processNames() {
		list = append(list, measure{rssPrefix + name, "memory, MiB, " + name, "resident at the end of the span; of Postgres with what its processes share counted once", 0, 1.0 / (1 << 20)})
	}
	return append(list,
		measure{readyMS, "ready, ms", "from the start of `skald serve` until /readyz answers 200", 0, 1},
		measure{idleCPUOrchestrator, "idle: orchestrator, % of a core", "CPU time that the orchestrator takes while nothing happens: it looks for what is due every 2 s", 2, 100},
		measure{idleCPUPostgres, "idle: postgres, % of a core", "the same of Postgres", 2, 100},
		measure{idleRSS, "idle: memory, MiB, orchestrator", "resident while nothing happens", 0, 1.0 / (1 << 20)},
		measure{busyCPUOrchestrator, "orchestrator, % of a core", "CPU time that the orchestrator takes while browsers look on", 1, 100},
		measure{busyCPUPostgres, "postgres, % of a core", "the same of Postgres", 1, 100},
		measure{hints, "hints/s", "how often a browser is told that something has changed, all together", 0, 1},
		measure{pageReads, "pages/s", "pages that they read because of it", 0, 1},
		measure{pauseMS, "nothing ended for, ms", "the longest time without the end of any saga after a replica joined, left or was killed", 0, 1},
		measure{backMS, "rate back after, ms", "from there until the first second, behind that time, in which 80 % as many sagas ended as before", 0, 1},
		measure{othersCPU, "CPU used by others, %", "share of the machine's CPU time that went to programs that have nothing to do with it", 0, 100})
}

// text writes a value as people read it.
func (m *measure) text(value float64) string { return number(value*m.factor, m.digits) }

// number writes a number with commas, and no more digits than say something.
func number(value float64, digits int) string {
	if digits > 0 && math.Abs(value) >= 100 {
		digits = 0
	}
	text := fmt.Sprintf("%.*f", digits, value)
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// loaded is what a run of the load generator says.
func loaded(r *load.Result) sample {
	s := sample{perSecond: r.PerSecond(), unfinished: float64(r.Unfinished)}
	for _, n := range r.Refused {
		s[refused] += float64(n)
	}
	if _, any := s[refused]; !any {
		s[refused] = 0
	}
	for _, each := range []struct {
		of            load.Latency
		p50, p95, p99 string
	}{{r.ToAccepted, acceptedP50, acceptedP95, acceptedP99}, {r.ToEnded, completedP50, completedP95, completedP99}} {
		if each.of.Count > 0 {
			s[each.p50], s[each.p95], s[each.p99] = ms(each.of.P50), ms(each.of.P95), ms(each.of.P99)
		}
	}
	return s
}
