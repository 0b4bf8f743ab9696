package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/bench/proc"
)

// costs takes what one side costs: over the measured span (CPU, WAL, transactions, memory) and over its whole round (rows,
// records), where the counters are exact only once its processes have ended.
type costs struct {
	fs     proc.FS
	pids   map[string]int // a process that is not there is not known
	pg     *pgx.Conn      // to the side's database
	client sarama.Client
	topics []string

	rowsBefore    rowCounts
	recordsBefore int64
}

// snapshot is taken as the span begins and as it ends.
type snapshot struct {
	at   time.Time
	busy time.Duration // of the whole machine
	self time.Duration // of this process, which is nobody's cost unless it is the driver
	cpu  map[string]time.Duration
	rss  map[string]int64
	wal  int64 // bytes since ever
	xid  int64 // transactions that wrote, since ever
}

// rowCounts are what the server counts for a database's tables.
type rowCounts struct{ inserted, updated, hot, deleted int64 }

// newCosts looks at the side before its round.
func newCosts(ctx context.Context, sv *servers, dsn string, topics ...string) (*costs, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connect to the side's database: %w", err)
	}
	c := &costs{pids: maps.Clone(sv.pids), pg: conn, client: sv.client, topics: topics}
	if c.rowsBefore, err = c.rows(ctx); err == nil {
		c.recordsBefore, err = c.records()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return c, nil
}

func (c *costs) close() { _ = c.pg.Close(context.Background()) } // nothing is lost with it

// sameProcess stands between the name of a process and the number of a further one of its kind; their costs are added up.
const sameProcess = "#"

// runs names a process of the side.
func (c *costs) runs(name string, pid int) { c.pids[name] = pid }

// take takes a snapshot. A process that can't be looked at is left out.
func (c *costs) take(ctx context.Context) (snapshot, error) {
	s := snapshot{cpu: map[string]time.Duration{}, rss: map[string]int64{}}
	err := c.pg.QueryRow(ctx, `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint`).
		Scan(&s.wal, &s.xid)
	if err != nil {
		return s, fmt.Errorf("read the WAL's position: %w", err)
	}
	for name, pid := range c.pids {
		cpu, memory := c.fs.CPU, c.fs.Memory
		if name == postgresProcess {
			cpu, memory = c.fs.TreeCPU, c.fs.TreeMemory
		}
		if used, err := cpu(pid); err == nil {
			s.cpu[name] = used
		}
		if bytes, err := memory(pid); err == nil {
			s.rss[name] = bytes
		}
	}
	s.self, _ = c.fs.CPU(os.Getpid()) // 0 where there is no /proc
	s.busy, _ = c.fs.Busy()
	s.at = time.Now()
	return s, nil
}

// spent is what the span between two snapshots cost for each of a number of sagas.
func (c *costs) spent(a, b snapshot, sagas float64, cpus int) sample {
	out := sample{}
	if sagas <= 0 {
		return out
	}
	out[walBytes] = float64(b.wal-a.wal) / sagas
	out[commits] = float64(b.xid-a.xid) / sagas
	var ours, counted time.Duration
	known := map[string]bool{}
	for name := range c.pids {
		before, hasBefore := a.cpu[name]
		after, hasAfter := b.cpu[name]
		if !hasBefore || !hasAfter {
			continue
		}
		kind, _, _ := strings.Cut(name, sameProcess)
		known[kind] = true
		used := after - before
		ours += used
		if name != driverProcess {
			counted += used
		}
		out[cpuPrefix+kind] += used.Seconds() / sagas * 1000
		out[rssPrefix+kind] += float64(b.rss[name])
	}
	if len(known) < len(processNames()) {
		return out
	}
	out[cpuAll] = counted.Seconds() / sagas * 1000
	if c.pids[driverProcess] != os.Getpid() {
		ours += b.self - a.self
	}
	if whole := b.at.Sub(a.at) * time.Duration(cpus); whole > 0 && b.busy > a.busy {
		out[othersCPU] = max(0, float64(b.busy-a.busy-ours)/float64(whole))
	}
	return out
}

// whole is what the round cost for each of its sagas, once the side's processes have ended.
func (c *costs) whole(ctx context.Context, sagas float64) (sample, error) {
	if sagas <= 0 {
		return sample{}, nil
	}
	if err := c.alone(ctx); err != nil {
		return nil, err
	}
	rows, err := c.rows(ctx)
	if err != nil {
		return nil, err
	}
	n, err := c.records()
	if err != nil {
		return nil, err
	}
	out := sample{
		rowsInserted: float64(rows.inserted-c.rowsBefore.inserted) / sagas,
		rowsUpdated:  float64(rows.updated-c.rowsBefore.updated) / sagas,
		rowsDeleted:  float64(rows.deleted-c.rowsBefore.deleted) / sagas,
		records:      float64(n-c.recordsBefore) / sagas,
	}
	if updated := rows.updated - c.rowsBefore.updated; updated > 0 {
		out[hotShare] = float64(rows.hot-c.rowsBefore.hot) / float64(updated)
	}
	return out, nil
}

// alone waits until nobody else is connected: a session reports what it counted when it ends.
func (c *costs) alone(ctx context.Context) error {
	for range 200 {
		var others int
		err := c.pg.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).
			Scan(&others)
		if err != nil || others == 0 {
			return err
		}
		if !settle(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.New("a side's connections are still there after it ended")
}

func (c *costs) rows(ctx context.Context) (r rowCounts, err error) {
	err = c.pg.QueryRow(ctx, `SELECT
	coalesce(sum(n_tup_ins), 0)::bigint,
	coalesce(sum(n_tup_upd), 0)::bigint,
	coalesce(sum(n_tup_hot_upd), 0)::bigint,
	coalesce(sum(n_tup_del), 0)::bigint
FROM pg_stat_user_tables`).Scan(&r.inserted, &r.updated, &r.hot, &r.deleted)
	if err != nil {
		err = fmt.Errorf("read the row counts: %w", err)
	}
	return r, err
}

// records is how many there were ever in the side's topics. A topic that is not there yet has none.
func (c *costs) records() (int64, error) {
	if err := c.client.RefreshMetadata(c.topics...); err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return 0, fmt.Errorf("look at the topics: %w", err)
	}
	var sum int64
	for _, topic := range c.topics {
		partitions, err := c.client.Partitions(topic)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("look at topic %s: %w", topic, err)
		}
		for _, partition := range partitions {
			next, err := c.client.GetOffset(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return 0, fmt.Errorf("read the end of topic %s: %w", topic, err)
			}
			sum += next
		}
	}
	return sum, nil
}
