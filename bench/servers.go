package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/test/apachekafka"
)

// programs are the built binaries.
type programs struct{ floor, skald, self string }

func build(ctx context.Context, work string) (programs, error) {
	self, err := os.Executable()
	if err != nil {
		return programs{}, err
	}
	p := programs{floor: filepath.Join(work, "floor"), skald: filepath.Join(work, "skald"), self: self}
	for _, b := range []struct{ dir, out, pkg string }{{filepath.Join("bench", "floor"), p.floor, "."}, {".", p.skald, "./cmd/skald"}} {
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
	kafka    string
	stops    []func()
}

func startServers(ctx context.Context, s settings, work string) (*servers, error) {
	out := &servers{postgres: s.postgres, kafka: s.kafka}
	if out.postgres == "" {
		fmt.Println("starting Postgres")
		pg, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{DataDir: filepath.Join(work, "postgres")})
		if err != nil {
			return nil, err
		}
		out.postgres = pg.DSN()
		out.stops = append(out.stops, func() { _ = pg.Stop() })
	}
	if out.kafka == "" {
		fmt.Println("starting Apache Kafka", apachekafka.Version)
		k, err := apachekafka.Start(ctx, apachekafka.Config{Dir: filepath.Join(work, "kafka")})
		if err != nil {
			out.stop()
			return nil, err
		}
		out.kafka = k.Addr()
		out.stops = append(out.stops, func() { _ = k.Stop() })
	}
	return out, nil
}

func (s *servers) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

// database makes a fresh database and returns its URL.
func (s *servers) database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, s.postgres)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	quoted := pgx.Identifier{name}.Sanitize()
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + quoted + " WITH (FORCE)", "CREATE DATABASE " + quoted} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", fmt.Errorf("make database %s: %w", name, err)
		}
	}
	u, err := url.Parse(s.postgres)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
