package main

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/participants/wire"
)

// databaseFlags are the settings of a command that needs a database and nothing else of the server.
type databaseFlags struct {
	Config   configs.File     `name:"config" env:"SKALD_CONFIG" placeholder:"FILE" help:"YAML file with settings."`
	Database configs.Database `embed:"" prefix:"database-" envprefix:"SKALD_DATABASE_"`
}

// dsn is the database's, or says that there is none.
func (f *databaseFlags) dsn() (string, error) {
	dsn := f.Database.URL.Reveal()
	if dsn == "" {
		return "", hint(wrongUsage("no database is given"), "--database-url postgres://skald@localhost:5432/skald   or SKALD_DATABASE_URL")
	}
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return "", &hinted{code: exitUsage, err: fmt.Errorf("the database's URL: %w", err)}
	}
	return dsn, nil
}

// topicsOf names the topics of an installation.
func topicsOf(cfg *configs.Config) wire.Topics { return wire.Topics{Prefix: cfg.Topics.Prefix} }
