// Package embeddedtest gives tests a database and a broker of their own, with nothing to install or to start first.
//
// SKALD_TEST_DATABASE_URL and SKALD_TEST_KAFKA_BROKERS (comma-separated) put servers of your own in their place. The broker
// is then shared with other tests: use topic and group names that are unique to the test.
package embeddedtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

// Database returns the connection string of a new, empty database, for a superuser; the database is dropped when the test
// ends, whoever is still connected. The server is shared by all tests of all packages, takes 300 connections, and does not
// flush to disk. The first use on a machine fetches Postgres and takes some seconds. Under -short the test is skipped.
func Database(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Postgres")
	}
	ctx := context.Background() // t.Context is cancelled before the cleanup that drops the database
	name := "skald_test_" + strings.ToLower(rand.Text())
	if server := os.Getenv("SKALD_TEST_DATABASE_URL"); server != "" {
		dsn, err := withDatabase(server, name)
		if err == nil {
			err = create(ctx, server, name)
		}
		if err != nil {
			t.Fatalf("database on the server of SKALD_TEST_DATABASE_URL: %v", err)
		}
		t.Cleanup(func() { drop(t, server, name) })
		return dsn
	}
	var lastErr error
	// Twice: the server's idle time may end just between being found and being used.
	for range 2 {
		server, err := openShared(ctx)
		if err != nil {
			t.Fatalf("Postgres for tests: %v", err)
		}
		admin, err := server.DSN("postgres")
		if err != nil {
			t.Fatalf("Postgres for tests: %v", err)
		}
		if lastErr = create(ctx, admin, name); lastErr != nil {
			continue
		}
		keepUp(t, server)
		t.Cleanup(func() { drop(t, admin, name) })
		dsn, err := server.DSN(name)
		if err != nil {
			t.Fatalf("Postgres for tests: %v", err)
		}
		return dsn
	}
	t.Fatalf("Postgres for tests: %v", lastErr)
	return ""
}

func openShared(ctx context.Context) (embedded.Shared, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // a first fetch over a slow line
	defer cancel()
	return embedded.OpenShared(ctx)
}

// keepUp counts the running test as use of the server. A timer and no goroutine: tests look for goroutines left behind.
func keepUp(t testing.TB, server embedded.Shared) {
	var mu sync.Mutex // guards timer: the first call may come before the assignment
	var timer *time.Timer
	stopped := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(embedded.SharedIdle/10, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			_ = server.Touch() // a server that is gone fails the test where it is used
			timer.Reset(embedded.SharedIdle / 10)
		}
	})
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	})
}

func create(ctx context.Context, admin, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	return err
}

func drop(t testing.TB, admin, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		t.Errorf("drop database %s: %v", name, err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		t.Errorf("drop database %s: %v", name, err)
	}
}

// withDatabase puts the database's name into a connection URL.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("want a URL such as postgres://user@host:5432/postgres, error %v", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// Kafka returns the bootstrap addresses of a new, empty broker inside the test process, stopped when the test ends; with
// SKALD_TEST_KAFKA_BROKERS set, those.
func Kafka(t testing.TB) []string {
	t.Helper()
	if brokers := os.Getenv("SKALD_TEST_KAFKA_BROKERS"); brokers != "" {
		return strings.Split(brokers, ",")
	}
	b, err := embedded.StartBroker(context.Background(), embedded.BrokerConfig{})
	if err != nil {
		t.Fatalf("broker for tests: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Errorf("stop the broker for tests: %v", err)
		}
	})
	return b.Addrs()
}
