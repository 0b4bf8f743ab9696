package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/bench/proc"
	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/apachekafka"
)

// programs are the built binaries.
type programs struct{ floor, skald, self string }

// build builds them; root is the repository's.
func build(ctx context.Context, root, work string) (programs, error) {
	self, err := os.Executable()
	if err != nil {
		return programs{}, err
	}
	p := programs{floor: filepath.Join(work, "floor"), skald: filepath.Join(work, "skald"), self: self}
	for _, b := range []struct{ dir, out, pkg string }{{filepath.Join(root, "bench", "floor"), p.floor, "."}, {root, p.skald, "./cmd/skald"}} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.out, b.pkg)
		cmd.Dir = b.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w\n%s", b.pkg, err, out)
		}
	}
	return p, nil
}

// servers are what both sides run on.
type servers struct {
	postgres string // URL of the superuser's database
	kafka    string // addresses
	started  bool   // Kafka was started for the run
	client   sarama.Client
	run      string         // part of the databases' names
	pids     map[string]int // of those servers that run on this machine
	stops    []func()
}

// kafkaSettings bound what a run leaves on the disk: it writes some gigabytes.
func kafkaSettings() map[string]string {
	return map[string]string{"log.retention.bytes": "67108864", "log.segment.bytes": "33554432", "log.retention.check.interval.ms": "10000"}
}

func startServers(ctx context.Context, s *settings, work string) (*servers, error) {
	out := &servers{postgres: s.postgres, kafka: s.kafka, run: strings.ToLower(rand.Text()[:6]), pids: map[string]int{}}
	if out.postgres == "" {
		fmt.Println("starting Postgres")
		pg, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{DataDir: filepath.Join(work, "postgres")})
		if err != nil {
			return nil, err
		}
		out.postgres = pg.DSN()
		out.stops = append(out.stops, func() { _ = pg.Stop() }) // its data is about to be removed
	}
	if out.kafka == "" {
		fmt.Println("starting Apache Kafka", apachekafka.Version)
		k, err := apachekafka.Start(ctx, apachekafka.Config{Dir: filepath.Join(work, "kafka"), Settings: kafkaSettings()})
		if err != nil {
			out.stop()
			return nil, err
		}
		out.kafka, out.started = k.Addr(), true
		out.stops = append(out.stops, func() { _ = k.Stop() })
	}
	if err := out.connect(); err != nil {
		out.stop()
		return nil, err
	}
	return out, nil
}

func (s *servers) connect() (err error) {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	if s.client, err = sarama.NewClient(strings.Split(s.kafka, ","), cfg); err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	s.stops = append(s.stops, func() { _ = s.client.Close() })
	if !s.started {
		s.stops = append(s.stops, s.removeTopics)
	}
	u, err := url.Parse(s.postgres)
	if err != nil || u.Host == "" {
		return errors.New("the database's URL: want one such as postgres://user@host:5432/postgres")
	}
	if u.Port() == "" {
		u.Host += ":5432"
	}
	s.locate(postgresProcess, u.Host)
	if brokers := strings.Split(s.kafka, ","); len(brokers) == 1 {
		s.locate(kafkaProcess, brokers[0])
	}
	return nil
}

// topics are the run's own: a broker that was given may carry an installation's.
func (s *servers) topics() wire.Topics { return wire.Topics{Prefix: "skald-bench-" + s.run + "."} }

// removeTopics removes the topics of both sides from a broker that was given.
func (s *servers) removeTopics() {
	t := s.topics()
	admin, err := sarama.NewClusterAdminFromClient(s.client)
	if err != nil {
		return // what is left is named after the benchmark
	}
	for _, topic := range []string{t.Commands("bench"), t.Replies(), t.Events(), t.Starts(), floorCommands, floorReplies} {
		_ = admin.DeleteTopic(topic) // it may never have been made
	}
}

// locate finds the server's process, where that is on this machine and somebody else than this process.
func (s *servers) locate(name, addr string) {
	host, text, err := net.SplitHostPort(addr)
	port, portErr := strconv.Atoi(text)
	ip := net.ParseIP(host)
	if err != nil || portErr != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return
	}
	if pid, err := (proc.FS{}).Listener(port); err == nil && pid != os.Getpid() {
		s.pids[name] = pid
	}
}

func (s *servers) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

// database makes a fresh database and returns its URL, and what removes it.
func (s *servers) database(ctx context.Context, side string) (dsn string, drop func(), err error) {
	name := "skald_bench_" + s.run + "_" + side
	u, err := url.Parse(s.postgres)
	if err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	drop = func() { _ = s.exec(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") } // what is left is the next round's or the server's end
	drop()
	// What the other side wrote is on disk before this one begins.
	return u.String(), drop, s.exec(ctx, "CREATE DATABASE "+name, "CHECKPOINT")
}

// databaseBytes is how much the database at dsn takes on the disk.
func (s *servers) databaseBytes(ctx context.Context, dsn string) (n int64, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&n)
	return n, err
}

func (s *servers) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.postgres)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// Servers says what the sides ran on.
type Servers struct {
	Postgres         string            `json:"postgres"` // version
	PostgresSettings map[string]string `json:"postgres_settings"`
	Kafka            string            `json:"kafka"` // version; "given" where it was not started for the run
}

// describe asks them. A server that does not flush to disk is no measure of anything.
func (s *servers) describe(ctx context.Context) (Servers, error) {
	out := Servers{PostgresSettings: map[string]string{}, Kafka: "given"}
	if s.started {
		out.Kafka = apachekafka.Version
	}
	conn, err := pgx.Connect(ctx, s.postgres)
	if err != nil {
		return out, fmt.Errorf("connect to Postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT name, current_setting(name)
FROM pg_settings
WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size', 'wal_level', 'max_connections')`)
	if err != nil {
		return out, err
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		out.PostgresSettings[name] = value
		return nil
	})
	out.Postgres = out.PostgresSettings["server_version"]
	delete(out.PostgresSettings, "server_version")
	return out, err
}
