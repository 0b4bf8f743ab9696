package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/api/auth"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/postgres"
)

// apikeyCmd are the commands about API keys. They work on the database itself, so that there can be a first key.
type apikeyCmd struct {
	Create apikeyCreateCmd `cmd:"" help:"Make a key, and print it this once."`
	List   apikeyListCmd   `cmd:"" help:"List keys: who made them, what they may, when they were used."`
	Rotate apikeyRotateCmd `cmd:"" help:"Give a key a new secret, and print it this once."`
	Revoke apikeyRevokeCmd `cmd:"" help:"End a key for good."`

	databaseFlags
}

// Help is shown under the command's usage.
func (apikeyCmd) Help() string {
	return `A key stands for a program or a person, in one tenant, with one or more roles. The database has only its SHA-256: what is printed can be read nowhere again. A server lets keys in with --auth keys. A key that was revoked is of no use after 5 seconds.

Roles: ` + strings.Join(roleNames(), ", ") + `.

Examples:

  skald apikey create --name ci --role starter --expires 90d
  skald apikey create --name ada --role operator --role auditor
  skald apikey rotate ci --overlap 1h
  skald apikey revoke ci --reason "the laptop is gone"

  SKALD_API_KEY=sk_... skald saga list`
}

type apikeyTenant struct {
	Tenant string `default:"default" placeholder:"NAME" help:"The tenant that the key is for."`
}

type (
	apikeyCreateCmd struct {
		Name string   `required:"" placeholder:"NAME" help:"Stands in the audit, as key:NAME."`
		Role []string `required:"" sep:"," placeholder:"ROLE" help:"What it may; can be given again."`
		apikeyTenant
		Expires configs.Span `default:"0" placeholder:"SPAN" help:"How long it is good, such as 90d. 0: until it is revoked."`
	}
	apikeyListCmd struct {
		Tenant string `placeholder:"NAME" help:"Those of one tenant alone."`
		All    bool   `help:"Those that were revoked or have expired too."`
	}
	apikeyRotateCmd struct {
		Key string `arg:"" help:"Its name or id."`
		apikeyTenant
		Overlap configs.Span `default:"1h" placeholder:"SPAN" help:"How long the secret before stays good. 0: not at all."`
	}
	apikeyRevokeCmd struct {
		Key string `arg:"" help:"Its name or id."`
		apikeyTenant
		Reason string `short:"r" default:"revoked" help:"Why; it stays in the audit."`
	}
)

func roleNames() []string {
	var names []string
	for _, role := range api.Roles() {
		names = append(names, string(role))
	}
	return names
}

// Run makes a key.
func (cmd *apikeyCreateCmd) Run(ctx context.Context, term *console, all *cli) error {
	q := apikey.Request{Tenant: cmd.Tenant, Name: cmd.Name, Roles: cmd.Role, ExpiresIn: time.Duration(cmd.Expires)}
	if err := q.Check(roleNames()); err != nil {
		return wrongKey(err)
	}
	return all.Apikey.with(ctx, func(store *postgres.Store) error {
		text, row, err := apikey.Create(ctx, store, q, byCommand())
		if errors.Is(err, apikey.ErrNameTaken) {
			return &hinted{code: exitForbidden, err: fmt.Errorf("%s of tenant %s: %w", cmd.Name, cmd.Tenant, err), hints: []string{
				"skald apikey rotate " + cmd.Name, "skald apikey list",
			}}
		}
		if err != nil {
			return err
		}
		return tellKey(term, text, &row)
	})
}

// wrongKey is what is wrong with a request, for people.
func wrongKey(err error) error {
	var input *orchestrator.InputError
	if !errors.As(err, &input) {
		return err
	}
	var lines []string
	for _, f := range input.Fields {
		lines = append(lines, "--"+strings.TrimSuffix(f.Path, "s")+": "+f.Message)
	}
	return wrongUsage("%s", strings.Join(lines, "\n"))
}

// tellKey prints a key. Standard output has the key alone, so that a script can take it.
func tellKey(term *console, text string, row *orchestrator.APIKey) error {
	if term.json {
		return writeJSON(term.out, struct {
			Key string `json:"key"`
			keyItem
		}{text, keyItemOf(row)})
	}
	fmt.Fprintln(term.out, text)
	until := "until it is revoked"
	if !row.ExpiresAt.IsZero() {
		until = "until " + row.ExpiresAt.Local().Format(time.DateTime)
	}
	fmt.Fprintf(term.err, "%s: %s in tenant %s, good %s. It is shown this once.\n", row.Name, strings.Join(row.Roles, ", "), row.Tenant, until)
	return nil
}

// keyItem is a key as programs read it.
type keyItem struct {
	ID        string     `json:"id"`
	Tenant    string     `json:"tenant"`
	Name      string     `json:"name"`
	Roles     []string   `json:"roles"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	UsedAt    *time.Time `json:"used_at,omitempty"`
}

func keyItemOf(row *orchestrator.APIKey) keyItem {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return keyItem{
		ID: row.ID, Tenant: row.Tenant, Name: row.Name, Roles: row.Roles, State: row.State(time.Now()), CreatedAt: row.CreatedAt, CreatedBy: row.CreatedBy,
		ExpiresAt: at(row.ExpiresAt), RevokedAt: at(row.RevokedAt), UsedAt: at(row.UsedAt),
	}
}

// Run lists keys.
func (cmd *apikeyListCmd) Run(ctx context.Context, term *console, all *cli) error {
	return all.Apikey.with(ctx, func(store *postgres.Store) error {
		keys, err := store.APIKeys(ctx, cmd.Tenant)
		if err != nil {
			return err
		}
		items := []keyItem{}
		rows := [][]string{{"id", "tenant", "name", "roles", "state", "expires", "used", "by"}}
		for i := range keys {
			it := keyItemOf(&keys[i])
			if it.State != orchestrator.APIKeyGood && !cmd.All {
				continue
			}
			items = append(items, it)
			rows = append(rows, []string{it.ID, it.Tenant, it.Name, strings.Join(it.Roles, ","), it.State, dayOf(keys[i].ExpiresAt, "never"), dayOf(keys[i].UsedAt, "never"), it.CreatedBy})
		}
		switch {
		case term.json:
			return writeJSON(term.out, map[string]any{"items": items})
		case len(items) == 0:
			fmt.Fprintln(term.err, "There are no API keys.")
		default:
			table(term.out, term.style, rows, nil)
		}
		return nil
	})
}

func dayOf(at time.Time, none string) string {
	if at.IsZero() {
		return none
	}
	return at.Local().Format("2006-01-02 15:04")
}

// Run gives a key a new secret.
func (cmd *apikeyRotateCmd) Run(ctx context.Context, term *console, all *cli) error {
	return all.Apikey.named(ctx, cmd.Tenant, cmd.Key, func(store *postgres.Store, row orchestrator.APIKey) error {
		text, err := apikey.Rotate(ctx, store, row, time.Duration(cmd.Overlap), byCommand())
		if err != nil {
			return err
		}
		if err := tellKey(term, text, &row); err != nil {
			return err
		}
		if cmd.Overlap > 0 && !term.json {
			fmt.Fprintf(term.err, "The secret before is good for another %s.\n", cmd.Overlap)
		}
		return nil
	})
}

// Run ends a key.
func (cmd *apikeyRevokeCmd) Run(ctx context.Context, term *console, all *cli) error {
	return all.Apikey.named(ctx, cmd.Tenant, cmd.Key, func(store *postgres.Store, row orchestrator.APIKey) error {
		if err := apikey.Revoke(ctx, store, row, byCommand(), cmd.Reason); err != nil {
			return err
		}
		if term.json {
			return writeJSON(term.out, map[string]any{"id": row.ID, "name": row.Name, "tenant": row.Tenant, "revoked": true})
		}
		fmt.Fprintf(term.out, "%s is revoked: servers let it in for %s at most.\n", row.Name, auth.CacheFor)
		return nil
	})
}

// named does something with the key that has the id or the name.
func (cmd *apikeyCmd) named(ctx context.Context, tenant, name string, do func(*postgres.Store, orchestrator.APIKey) error) error {
	return cmd.with(ctx, func(store *postgres.Store) error {
		row, err := apikey.Find(ctx, store, tenant, name)
		if err == nil {
			err = do(store, row)
		}
		if errors.Is(err, orchestrator.ErrNotFound) {
			return &hinted{code: exitNotFound, err: fmt.Errorf("tenant %s has no key %s that is not revoked", tenant, name), hints: []string{"skald apikey list"}}
		}
		return err
	})
}

// with opens the database for a command.
func (cmd *apikeyCmd) with(ctx context.Context, do func(*postgres.Store) error) error {
	dsn, err := cmd.dsn()
	if err != nil {
		return err
	}
	if err := checkSchema(ctx, dsn); err != nil {
		return reachDatabase(err)
	}
	pool, err := postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAPI, MaxConns: 1})
	if err != nil {
		return reachDatabase(err)
	}
	defer pool.Close()
	return reachDatabase(do(postgres.New(postgres.Config{Engine: pool, API: pool})))
}

// byCommand is who types, for the audit.
func byCommand() apikey.By {
	name := "unknown"
	if who, err := user.Current(); err == nil {
		name = who.Username
	}
	return apikey.By{Actor: "cli:" + name, From: "command line"}
}
