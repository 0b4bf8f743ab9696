package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Config is what a Store is made of. Zero fields take the defaults.
type Config struct {
	Now             func() time.Time // the database's clock; nil: time.Now
	QuarantineBytes int64            // kept per hour, beyond it coordinates and a hash; 0: 64 MiB
	KeepKeys        time.Duration    // how long idempotency keys last; 0: 7 days
	KeepReceipts    time.Duration    // how long receipts last; 0: 90 days
	KeepHandled     time.Duration    // how long ended operations and handled quarantined records last; 0: 30 days
}

// Store keeps sagas in memory. It is safe for concurrent use; the zero value is not usable, use New.
type Store struct {
	cfg Config

	mu          sync.Mutex // guards all below
	sagas       map[saga.ID]*sagaRow
	history     map[saga.ID][]factRow
	locks       map[saga.ID]*tx
	outbox      map[saga.BatchID]*outboxRow
	fences      map[saga.BatchID]bool // batches that may not commit any more
	receipts    map[saga.BatchID][]byte
	keys        map[claimKey]*keyRow
	claims      map[claimKey]*tx // by open transactions
	holds       []orchestrator.Hold
	limits      limits
	access      access
	quarantine  []quarantineRow // by id
	quarantined map[quarantineKey]bool
	quota       map[time.Time]int64 // bytes offered, by hour
	audit       map[string][]auditRow
	definitions map[definitionKey]orchestrator.DefinitionRow
	operations  []*operationRow // by id, from 1
}

var (
	_ orchestrator.Store       = (*Store)(nil)
	_ orchestrator.Reader      = (*Store)(nil)
	_ orchestrator.Definitions = (*Store)(nil)
)

// New returns an empty store.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.QuarantineBytes == 0 {
		cfg.QuarantineBytes = 64 << 20
	}
	if cfg.KeepKeys == 0 {
		cfg.KeepKeys = 7 * 24 * time.Hour
	}
	if cfg.KeepReceipts == 0 {
		cfg.KeepReceipts = 90 * 24 * time.Hour
	}
	if cfg.KeepHandled == 0 {
		cfg.KeepHandled = 30 * 24 * time.Hour
	}
	return &Store{
		cfg:         cfg,
		sagas:       map[saga.ID]*sagaRow{},
		history:     map[saga.ID][]factRow{},
		locks:       map[saga.ID]*tx{},
		outbox:      map[saga.BatchID]*outboxRow{},
		fences:      map[saga.BatchID]bool{},
		receipts:    map[saga.BatchID][]byte{},
		keys:        map[claimKey]*keyRow{},
		claims:      map[claimKey]*tx{},
		quarantined: map[quarantineKey]bool{},
		quota:       map[time.Time]int64{},
		audit:       map[string][]auditRow{},
		definitions: map[definitionKey]orchestrator.DefinitionRow{},
	}
}

// sagaRow is a saga as it is stored: its bytes, and the columns that statements need.
type sagaRow struct {
	tenant    string
	saga      string
	key       string
	labels    map[string]string
	version   int
	status    saga.Status
	verdict   string // empty: it has not ended
	attention []string
	causes    []string
	waits     []string
	createdAt time.Time
	wakeAt    time.Time
	revision  int64
	batches   []saga.BatchID
	bytes     []byte
}

type factRow struct {
	batch saga.BatchID
	bytes []byte
}

// claimKey is a business key (tenant, saga, key) or an idempotency key (tenant, key).
type claimKey struct {
	kind              orchestrator.ClaimKind
	tenant, saga, key string
}

type keyRow struct {
	id     saga.ID
	hash   [32]byte
	answer []byte
	at     time.Time
}

func keyOf(c *orchestrator.Claim) claimKey { return claimKey{c.Kind, c.Tenant, c.Saga, c.Key} }

// nowLocked is the database's clock, which counts microseconds.
func (s *Store) nowLocked() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Due implements orchestrator.Store.
func (s *Store) Due(_ context.Context, limit int) ([]saga.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	var due []saga.ID
	for id, row := range s.sagas {
		if !row.wakeAt.IsZero() && !row.wakeAt.After(now) && s.locks[id] == nil {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b saga.ID) int {
		if c := s.sagas[a].wakeAt.Compare(s.sagas[b].wakeAt); c != 0 {
			return c
		}
		return stored.CompareIDs(a, b)
	})
	return due[:min(limit, len(due))], nil
}

// Committed implements orchestrator.Store. A false answer is final: the batch can't commit any more.
func (s *Store) Committed(_ context.Context, id saga.BatchID, write orchestrator.Write) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.history[write.Next.ID]
	if len(write.Facts) > 0 {
		if seq := write.Facts[0].Seq; seq >= 1 && seq <= int64(len(rows)) && rows[seq-1].batch == id {
			return true, nil
		}
	}
	s.fences[id] = true
	return false, nil
}
