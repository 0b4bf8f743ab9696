// Package storetest is the suite that every store must pass, the one in memory like the one on Postgres. So what the
// simulation sees of a store is what production has.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	auditing "github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

// Store is all that a store offers.
type Store interface {
	orchestrator.Store
	orchestrator.Reader
	orchestrator.Definitions
	orchestrator.Operations
	orchestrator.Holds
	orchestrator.Limits
	orchestrator.AuditLog
	orchestrator.Access
	auditing.Source

	Audit(ctx context.Context, tenant string, before int64, limit int) ([]stored.AuditEntry, error)
	VerifyAudit(ctx context.Context, tenant string) error
}

// QuarantineBytes is the hourly quota that a fixture's store must be made with.
const QuarantineBytes = 1000

// Fixture is an empty store.
type Fixture struct {
	Store Store
	// Age makes everything that is stored look older by d: keys, holds, and hours of the quarantine's quota.
	Age func(t testing.TB, d time.Duration)
}

// Run runs the suite; setup makes a new, empty store each time.
func Run(t *testing.T, setup func(t *testing.T) Fixture) {
	for name, test := range cases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&suite{T: t, Fixture: setup(t), ctx: t.Context()})
		})
	}
}

func cases() map[string]func(*suite) {
	return map[string]func(*suite){
		"Operations_AreKept":                      operationsAreKept,
		"Operations_SliceBySlice":                 operationsSliceBySlice,
		"Operations_LeaseRunsOut":                 operationsLeaseRunsOut,
		"Operations_PauseResumeCancel":            operationsPauseResumeCancel,
		"Operations_TakeTurns":                    operationsTakeTurns,
		"Access_KeysAreKept":                      accessKeysAreKept,
		"Access_KeysChange":                       accessKeysChange,
		"Access_KeyUseIsNotedOnceAMinute":         accessKeyUseIsNotedOnceAMinute,
		"Access_SessionsEnd":                      accessSessionsEnd,
		"Limits_AreKept":                          limitsAreKept,
		"Limits_AreCounted":                       limitsAreCounted,
		"Limits_AreShared":                        limitsAreShared,
		"Begin_LoadsWhatWasCommitted":             beginLoadsWhatWasCommitted,
		"Begin_MissingRow":                        beginMissingRow,
		"Begin_BusyRowIsSkipped":                  beginBusyRowIsSkipped,
		"Begin_TimeGoesForward":                   beginTimeGoesForward,
		"Load_AddsRows":                           loadAddsRows,
		"Rollback_LeavesNothing":                  rollbackLeavesNothing,
		"Rollback_AfterCommitIsHarmless":          rollbackAfterCommitIsHarmless,
		"Commit_AfterRollbackIsRefused":           commitAfterRollbackIsRefused,
		"Commit_IgnoresCancelledContext":          commitIgnoresCancelledContext,
		"Commit_StaleRevisionWritesNothing":       commitStaleRevisionWritesNothing,
		"Commit_OtherTenantsRowIsAConflict":       commitOtherTenantsRowIsAConflict,
		"Commit_SecondInsertIsAConflict":          commitSecondInsertIsAConflict,
		"Commit_ManySagas":                        commitManySagas,
		"Commit_KeepsPayloadBytes":                commitKeepsPayloadBytes,
		"Commit_BadContentIsFoundByBisecting":     commitBadContentIsFoundByBisecting,
		"Commit_WakeTimeExactlyUnlessTerminal":    commitWakeTimeExactlyUnlessTerminal,
		"Commit_UpdateThatEnds":                   commitUpdateThatEnds,
		"Committed_TellsByTheFacts":               committedTellsByTheFacts,
		"Committed_FalseIsFinal":                  committedFalseIsFinal,
		"History_DenseAndPaged":                   historyDenseAndPaged,
		"History_ReceiptsAreJoined":               historyReceiptsAreJoined,
		"Claims_BusinessKey":                      claimsBusinessKey,
		"Claims_IdempotencyKey":                   claimsIdempotencyKey,
		"Claims_TwiceInOneTransaction":            claimsTwiceInOneTransaction,
		"Claims_HeldByAnOpenTransaction":          claimsHeldByAnOpenTransaction,
		"Claims_RolledBack":                       claimsRolledBack,
		"Claims_TenantsDoNotMeet":                 claimsTenantsDoNotMeet,
		"Claims_BadKey":                           claimsBadKey,
		"Rekey_GivesTheKeyOn":                     rekeyGivesTheKeyOn,
		"Answer_NeedsAKeyWonHere":                 answerNeedsAKeyWonHere,
		"Outbox_RowPerBatch":                      outboxRowPerBatch,
		"Outbox_NotBeforeItsTime":                 outboxNotBeforeItsTime,
		"Outbox_TakenAgainLater":                  outboxTakenAgainLater,
		"Outbox_LimitOldestFirst":                 outboxLimitOldestFirst,
		"Outbox_SettledInPart":                    outboxSettledInPart,
		"Outbox_SettledByABatch":                  outboxSettledByABatch,
		"Outbox_SettledTwice":                     outboxSettledTwice,
		"Outbox_RefusedIsNeitherAckedNorLeft":     outboxRefusedIsNeitherAckedNorLeft,
		"Outbox_Depth":                            outboxDepth,
		"Lateness":                                lateness,
		"Sent_UnpublishedThenAcked":               sentUnpublishedThenAcked,
		"Sent_OnlyOpenCommands":                   sentOnlyOpenCommands,
		"Due_OldestFirst":                         dueOldestFirst,
		"Due_LeavesLockedRowsOut":                 dueLeavesLockedRowsOut,
		"Sagas_Filters":                           sagasFilters,
		"Sagas_Pages":                             sagasPages,
		"Sagas_BlockedOnFollowsTheOutbox":         sagasBlockedOnFollowsTheOutbox,
		"Sagas_TenantsDoNotMeet":                  sagasTenantsDoNotMeet,
		"Revisions_OfThoseThatExist":              revisionsOfThoseThatExist,
		"Stats_CountLiveSagas":                    statsCountLiveSagas,
		"Quarantine_ByteForByte":                  quarantineByteForByte,
		"Quarantine_OnceEach":                     quarantineOnceEach,
		"Quarantine_Quota":                        quarantineQuota,
		"Quarantine_Tenants":                      quarantineTenants,
		"Quarantine_OneRecord":                    quarantineOneRecord,
		"Quarantine_Filters":                      quarantineFilters,
		"Quarantine_Groups":                       quarantineGroups,
		"Quarantine_Handled":                      quarantineHandled,
		"Quarantine_HandledOnce":                  quarantineHandledOnce,
		"Quarantine_LockedRecordIsLeftOut":        quarantineLockedRecordIsLeftOut,
		"Audit_Chain":                             auditChain,
		"Audit_Filters":                           auditFilters,
		"Audit_WithItsEffectOnly":                 auditWithItsEffectOnly,
		"AuditScope_EveryTenant":                  auditScopeOfEveryTenant,
		"AuditSagas_WithAllThatBelongsToThem":     auditSagasWithAllThatBelongsToThem,
		"AuditSagas_PagesAndFilters":              auditSagasPagesAndFilters,
		"AuditOutbox_WithTheSagasItNames":         auditOutboxWithTheSagasItNames,
		"AuditKeys_WithTheSagasTheyName":          auditKeysWithTheSagasTheyName,
		"AuditHistory_OfNobody":                   auditHistoryOfNobody,
		"Holds_ListWhoWaits":                      holdsListWhoWaits,
		"Holds_InForceAndRecent":                  holdsInForceAndRecent,
		"Holds_EndedOnceByItsTenant":              holdsEndedOnceByItsTenant,
		"Holds_LetSagasGoOverATime":               holdsLetSagasGoOverATime,
		"Holds_BreakerIsOne":                      holdsBreakerIsOne,
		"Holds_BreakerOpensAgain":                 holdsBreakerOpensAgain,
		"Holds_QuietOnce":                         holdsQuietOnce,
		"Definitions_PutAndRead":                  definitionsPutAndRead,
		"Definitions_SameVersionOtherContent":     definitionsSameVersionOtherContent,
		"Definitions_HighestActive":               definitionsHighestActive,
		"Definitions_ListAndTenants":              definitionsListAndTenants,
		"Maintain_RemovesExpiredKeys":             maintainRemovesExpiredKeys,
		"Maintain_RemovesOldReceipts":             maintainRemovesOldReceipts,
		"Maintain_RemovesWhatWasHandled":          maintainRemovesWhatWasHandled,
		"Maintain_SaysHowFarAheadPartitionsReach": maintainSaysHowFarAhead,
	}
}
