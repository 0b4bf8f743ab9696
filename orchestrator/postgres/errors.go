package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skaldhq/skald/orchestrator"
)

// translate turns what Postgres said into what callers test for, once, at this edge.
func translate(what string, err error) error {
	if err == nil {
		return nil
	}
	if sentinel := meaning(err); sentinel != nil {
		return fmt.Errorf("%s: %w: %w", what, sentinel, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// meaning is the sentinel that says what to do about the error; nil: try again.
func meaning(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if disconnected(err) {
			return orchestrator.ErrUnavailable
		}
		return nil
	}
	switch {
	case pgerrcode.IsConnectionException(pg.Code), pg.Code == pgerrcode.AdminShutdown, pg.Code == pgerrcode.CrashShutdown,
		pg.Code == pgerrcode.CannotConnectNow, pg.Code == pgerrcode.TooManyConnections:
		return orchestrator.ErrUnavailable
	case pg.Code == pgerrcode.SerializationFailure: // skald.expect
		return orchestrator.ErrConflict
	case pg.Code == pgerrcode.UniqueViolation:
		// Keys that may be taken are claimed with ON CONFLICT DO NOTHING. What is left are rows that somebody else wrote in the
		// meantime: a saga, a fact, or a batch that was given up.
		return orchestrator.ErrConflict
	case missingPartition(pg):
		return nil // the keeper makes it; bisecting would suspend sagas for it
	case pgerrcode.IsDataException(pg.Code), pgerrcode.IsIntegrityConstraintViolation(pg.Code):
		return orchestrator.ErrData
	}
	return nil
}

// disconnected reports whether a connection could not be made, or ended. That time ran out says nothing about the server.
func disconnected(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var connect *pgconn.ConnectError
	var network *net.OpError
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// missingPartition tells "no partition of relation found for row" from a CHECK that failed: both are 23514, but only a CHECK
// has a name.
func missingPartition(pg *pgconn.PgError) bool {
	return pg.Code == pgerrcode.CheckViolation && pg.ConstraintName == ""
}

// translateClaim does the same for the statements that insert claims.
func translateClaim(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == pgerrcode.LockNotAvailable {
		return fmt.Errorf("claim keys: %w: %w", orchestrator.ErrClaimTimeout, err)
	}
	return translate("claim keys", err)
}

// fatal reports whether the server ended the session with the error: then the error does not tell how far it had got.
func fatal(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !strings.EqualFold(pg.SeverityUnlocalized, "ERROR")
}
