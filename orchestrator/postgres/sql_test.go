package postgres

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
)

// statements are all SQL constants but those that are parts of others.
func statements() map[string]string {
	return map[string]string{
		"sqlBegin":                sqlBegin,
		"sqlShortLocks":           sqlShortLocks,
		"sqlClaimBusinessKeys":    sqlClaimBusinessKeys,
		"sqlClaimIdempotencyKeys": sqlClaimIdempotencyKeys,
		"sqlReadBusinessKeys":     sqlReadBusinessKeys,
		"sqlReadIdempotencyKeys":  sqlReadIdempotencyKeys,
		"sqlLoad":                 sqlLoad,
		"sqlLoadBatches":          sqlLoadBatches,
		"sqlClock":                sqlClock,
		"sqlHoldsInForce":         sqlHoldsInForce,
		"sqlCreateAPIKey":         sqlCreateAPIKey,
		"sqlFindAPIKey":           sqlFindAPIKey,
		"sqlListAPIKeys":          sqlListAPIKeys,
		"sqlRotateAPIKey":         sqlRotateAPIKey,
		"sqlRevokeAPIKey":         sqlRevokeAPIKey,
		"sqlNoteAPIKeyUse":        sqlNoteAPIKeyUse,
		"sqlPutSession":           sqlPutSession,
		"sqlFindSession":          sqlFindSession,
		"sqlTouchSession":         sqlTouchSession,
		"sqlEndSession":           sqlEndSession,
		"sqlSweepSessions":        sqlSweepSessions,
		"sqlPutLimit":             sqlPutLimit,
		"sqlRemoveLimit":          sqlRemoveLimit,
		"sqlLimits":               sqlLimits,
		"sqlAllLimits":            sqlAllLimits,
		"sqlLimitReplica":         sqlLimitReplica,
		"sqlForgetReplicas":       sqlForgetReplicas,
		"sqlLimitReplicas":        sqlLimitReplicas,
		"sqlLimitUse":             sqlLimitUse,
		"sqlLimited":              sqlLimited,
		"sqlRollback":             sqlRollback,
		"sqlInsertSagas":          sqlInsertSagas,
		"sqlUpdateSagas":          sqlUpdateSagas,
		"sqlInsertHistory":        sqlInsertHistory,
		"sqlInsertOutbox":         sqlInsertOutbox,
		"sqlDeleteOutbox":         sqlDeleteOutbox,
		"sqlSettle":               sqlSettle,
		"sqlSettlePart":           sqlSettlePart,
		"sqlDeleteSettled":        sqlDeleteSettled,
		"sqlRekey":                sqlRekey,
		"sqlAnswer":               sqlAnswer,
		"sqlAppendAudit":          sqlAppendAudit,
		"sqlQuarantine":           sqlQuarantine,
		"sqlCommit":               sqlCommit,
		"sqlFence":                sqlFence,
		"sqlClaimBusinessKey":     sqlClaimBusinessKey,
		"sqlReadBusinessKey":      sqlReadBusinessKey,
		"sqlHint":                 sqlHint,
		"sqlListenStarts":         sqlListenStarts,
		"sqlTakeStartRequests":    sqlTakeStartRequests,
		"sqlAnswerStartRequests":  sqlAnswerStartRequests,
		"sqlRemoveStartRequests":  sqlRemoveStartRequests,
		"sqlListen":               sqlListen,
		"sqlAttached":             sqlAttached,
		"sqlTouchOutbox":          sqlTouchOutbox,
		"sqlCommitted":            sqlCommitted,
		"sqlDue":                  sqlDue,
		"sqlTakeOverdue":          sqlTakeOverdue,
		"sqlOutboxDepth":          sqlOutboxDepth,
		"sqlLateness":             sqlLateness,
		"sqlTryKeep":              sqlTryKeep,
		"sqlMakePartitions":       sqlMakePartitions,
		"sqlRemoveKeys":           sqlRemoveKeys,
		"sqlRemoveReceipts":       sqlRemoveReceipts,
		"sqlRemoveOutcomes":       sqlRemoveOutcomes,
		"sqlRemoveOperations":     sqlRemoveOperations,
		"sqlRemoveQuarantine":     sqlRemoveQuarantine,
		"sqlRemoveFences":         sqlRemoveFences,
		"sqlRemoveQuotas":         sqlRemoveQuotas,
		"sqlPartitionsUntil":      sqlPartitionsUntil,
		"sqlOldPartitions":        sqlOldPartitions,
		"sqlInsertDefinition":     sqlInsertDefinition,
		"sqlDefinition":           sqlDefinition,
		"sqlActiveDefinition":     sqlActiveDefinition,
		"sqlListDefinitions":      sqlListDefinitions,
		"sqlSetDefinitionState":   sqlSetDefinitionState,
		"sqlInsertHold":           sqlInsertHold,
		"sqlEndHold":              sqlEndHold,
		"sqlHeld":                 sqlHeld,
		"sqlHeldAnywhere":         sqlHeldAnywhere,
		"sqlListHolds":            sqlListHolds,
		"sqlHold":                 sqlHold,
		"sqlEndRelease":           sqlEndRelease,
		"sqlOpenBreaker":          sqlOpenBreaker,
		"sqlReopenBreaker":        sqlReopenBreaker,
		"sqlNoteQuiet":            sqlNoteQuiet,
		"sqlInsertOperation":      sqlInsertOperation,
		"sqlOperation":            sqlOperation,
		"sqlLockOperation":        sqlLockOperation,
		"sqlOperationByKey":       sqlOperationByKey,
		"sqlListOperations":       sqlListOperations,
		"sqlChangeOperation":      sqlChangeOperation,
		"sqlTakeOperation":        sqlTakeOperation,
		"sqlGatherOperation":      sqlGatherOperation,
		"sqlGatheredOperation":    sqlGatheredOperation,
		"sqlLeftOfOperation":      sqlLeftOfOperation,
		"sqlNoteOutcomes":         sqlNoteOutcomes,
		"sqlNotedOperation":       sqlNotedOperation,
		"sqlListOutcomes":         sqlListOutcomes,
		"sqlListAudit":            sqlListAudit,
		"sqlFilterAudit":          sqlFilterAudit,
		"sqlReadAudit":            sqlReadAudit,
		"sqlAuditHead":            sqlAuditHead,
		"sqlAuditTenants":         sqlAuditTenants,
		"sqlAuditSince":           sqlAuditSince,
		"sqlAuditSagas":           sqlAuditSagas,
		"sqlAuditSaga":            sqlAuditSaga,
		"sqlAuditHistory":         sqlAuditHistory,
		"sqlAuditBatches":         sqlAuditBatches,
		"sqlAuditOwners":          sqlAuditOwners,
		"sqlAuditOutbox":          sqlAuditOutbox,
		"sqlAuditNamed":           sqlAuditNamed,
		"sqlAuditBusinessKeys":    sqlAuditBusinessKeys,
		"sqlAuditIdempotencyKeys": sqlAuditIdempotencyKeys,
		"sqlAuditStrays":          sqlAuditStrays,
		"sqlTryRetain":            sqlTryRetain,
		"sqlRetained":             sqlRetained,
		"sqlSessionUser":          sqlSessionUser,
		"sqlRetainedDefinitions":  sqlRetainedDefinitions,
		"sqlRetentionState":       sqlRetentionState,
		"sqlPutRetentionState":    sqlPutRetentionState,
		"sqlRetentionSlice":       sqlRetentionSlice,
		"sqlReadToBlank":          sqlReadToBlank,
		"sqlLockToBlank":          sqlLockToBlank,
		"sqlFactsToBlank":         sqlFactsToBlank,
		"sqlBlankSagas":           sqlBlankSagas,
		"sqlBlankFacts":           sqlBlankFacts,
		"sqlTableBytes":           sqlTableBytes,
		"sqlPutRetainedTable":     sqlPutRetainedTable,
		"sqlTableDetached":        sqlTableDetached,
		"sqlTableDropped":         sqlTableDropped,
		"sqlTablesToDrop":         sqlTablesToDrop,
		"sqlKeysToForget":         sqlKeysToForget,
		"sqlForgetKeys":           sqlForgetKeys,
		"sqlListKeys":             sqlListKeys,
		"sqlLockKeys":             sqlLockKeys,
		"sqlFirstKey":             sqlFirstKey,
		"sqlSaga":                 sqlSaga,
		"sqlBatches":              sqlBatches,
		"sqlSagas":                sqlSagas,
		"sqlSagasByKey":           sqlSagasByKey,
		"sqlOldestSagas":          sqlOldestSagas,
		"sqlOldestSagasByKey":     sqlOldestSagasByKey,
		"sqlCountSagas":           sqlCountSagas,
		"sqlCountSagasByKey":      sqlCountSagasByKey,
		"sqlCountLive":            sqlCountLive,
		"sqlCountLiveByKey":       sqlCountLiveByKey,
		"sqlHistory":              sqlHistory,
		"sqlSagaExists":           sqlSagaExists,
		"sqlRevisions":            sqlRevisions,
		"sqlStats":                sqlStats,
		"sqlCountQuarantine":      sqlCountQuarantine,
		"sqlListQuarantine":       sqlListQuarantine,
		"sqlWaitingOfSaga":        sqlWaitingOfSaga,
		"sqlOldestQuarantine":     sqlOldestQuarantine,
		"sqlQuarantineRecord":     sqlQuarantineRecord,
		"sqlQuarantineGroups":     sqlQuarantineGroups,
		"sqlLockQuarantined":      sqlLockQuarantined,
		"sqlHandled":              sqlHandled,
	}
}

// Every statement is understood by a database as the migrations leave it.
func TestSQL_Prepares(t *testing.T) {
	t.Parallel()
	dsn := embeddedtest.Database(t)
	_, err := migrations.Up(t.Context(), dsn)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for name, sql := range statements() {
		switch name {
		case "sqlBegin", "sqlShortLocks", "sqlLockKeys", "sqlCommit", "sqlRollback", "sqlListen", "sqlListenStarts":
			continue // utility statements: the store's suite runs them
		}
		_, err := conn.Exec(t.Context(), "PREPARE p AS "+sql)
		require.NoError(t, err, name)
		_, err = conn.Exec(t.Context(), "DEALLOCATE p")
		require.NoError(t, err, name)
	}
}

func TestSQL_AllListed(t *testing.T) {
	t.Parallel()
	parts := map[string]bool{
		"sqlCauses": true, "sqlWhereSagas": true, "sqlAndKey": true, "sqlDefinitionColumns": true, "sqlOperationColumns": true, "sqlWhereQuarantine": true, "sqlQuarantineColumns": true, "sqlQuarantineBytes": true,
		"sqlQuarantineBare": true, "sqlWhereHeld": true,
	}
	listed := slices.Collect(maps.Keys(statements()))
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for _, name := range spec.Names {
				if strings.HasPrefix(name.Name, "sql") && !parts[name.Name] {
					require.Contains(t, listed, name.Name, "a statement of %s that no test prepares", file)
				}
			}
			return true
		})
	}
}
