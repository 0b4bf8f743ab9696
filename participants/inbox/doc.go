// Package inbox is the barrier in the team's own Postgres: its rows commit in the transaction of the effect, so that
// a command takes effect at most once, whatever is killed when.
//
//	if err := inbox.Migrate(ctx, pool, "inventory"); err != nil { ... }
//	p := participants.New("inventory", inbox.New(pool, "inventory"), participants.Config{})
//	p.Handle("ReserveItems.v1", inbox.Handler(reserve), nil)
//
// The one table, barrier, lives in a schema of the team's choice. Transactions are READ COMMITTED: the barrier waits
// for an open transaction by inserting the row that it has inserted, and then has to see it.
package inbox
