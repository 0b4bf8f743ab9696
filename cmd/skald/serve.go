package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/configs"
)

// serveCmd runs one replica.
type serveCmd struct {
	Migrate bool `help:"Bring the schema up to date first."`

	configs.Config
}

// Help is shown under the command's usage.
func (serveCmd) Help() string {
	return `Run as many replicas as the reply topic has partitions, each with the same settings; they share the work through Kafka and Postgres. SIGTERM drains.

Example:

  skald serve --migrate --database-url postgres://skald@db:5432/skald --kafka-brokers kafka-1:9092,kafka-2:9092`
}

// Run serves until ctx ends.
func (cmd *serveCmd) Run(ctx context.Context, term *console, all *cli) error {
	if err := checkSettings(&cmd.Config, "database.url", "kafka.brokers"); err != nil {
		return err
	}
	spendMemory()
	log := newLog(term.err, cmd.Log, all.Color)
	if cmd.AllowUnauthenticated {
		if api.CheckExposure(cmd.HTTP.Addr, false) != nil {
			log.WarnContext(ctx, "everybody who reaches the port is admin", "addr", cmd.HTTP.Addr)
		}
	}
	if err := cmd.prepare(ctx, log); err != nil {
		return err
	}
	s, err := openServer(ctx, &cmd.Config, log, portsAsGiven)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// prepare migrates where that is asked for, and makes sure that the schema is the one that this binary knows.
func (cmd *serveCmd) prepare(ctx context.Context, log *slog.Logger) error {
	if cmd.Migrate {
		crash, err := newCrash()
		if err != nil {
			return err
		}
		applied, err := crash.migrate(ctx, cmd.Database.URL.Reveal())
		if err != nil {
			return reachDatabase(err)
		}
		if len(applied) > 0 {
			log.InfoContext(ctx, "migrated", "versions", applied)
		}
	}
	return reachDatabase(checkSchema(ctx, cmd.Database.URL.Reveal()))
}

// checkSettings lists everything wrong with the settings, and says how to give those that are missing.
func checkSettings(cfg *configs.Config, required ...string) error {
	err := cfg.Validate(required...)
	if err == nil {
		err = api.CheckExposure(cfg.HTTP.Addr, cfg.AllowUnauthenticated || cfg.Authenticated())
	}
	if err == nil && cfg.ByOIDC() {
		_, err = providerOf(&cfg.OIDC)
	}
	if err == nil {
		return nil
	}
	wrong := &hinted{code: exitUsage, err: fmt.Errorf("the settings are wrong:\n%w", err)}
	for _, key := range required {
		switch {
		case key == "database.url" && cfg.Database.URL == "":
			wrong.hints = append(wrong.hints, "--database-url postgres://skald@localhost:5432/skald   or SKALD_DATABASE_URL")
		case key == "kafka.brokers" && len(cfg.Kafka.Brokers) == 0:
			wrong.hints = append(wrong.hints, "--kafka-brokers localhost:9092   or SKALD_KAFKA_BROKERS")
		}
	}
	if len(wrong.hints) > 0 {
		wrong.hints = append(wrong.hints, "skald dev   needs neither: it brings its own")
	}
	if errors.Is(err, api.ErrExposed) {
		wrong.hints = append(wrong.hints, "--auth keys   and skald apikey create, for the first one", "--http-addr 127.0.0.1:8080   or SKALD_ALLOW_UNAUTHENTICATED=true")
	}
	return wrong
}
