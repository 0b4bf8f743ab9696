package embedded

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func place(t *testing.T) sharedPlace {
	t.Helper()
	cacheDir, err := DefaultCacheDir()
	require.NoError(t, err)
	p := sharedPlace{root: dataDir(t), cacheDir: cacheDir, pause: time.Second}
	t.Cleanup(func() { require.NoError(t, p.stop(context.Background())) })
	return p
}

func TestShared_OneServerForAll(t *testing.T) {
	t.Parallel()
	p := place(t)
	var (
		wg    sync.WaitGroup
		found [4]Shared
		errs  [4]error
	)
	for i := range found {
		wg.Go(func() { found[i], errs[i] = p.open(t.Context()) })
	}
	wg.Wait()
	for i := range found {
		require.NoError(t, errs[i])
		require.Equal(t, found[0].port, found[i].port)
	}
	dsn, err := found[0].DSN("postgres")
	require.NoError(t, err)
	require.Equal(t, "300", query(t, dsn, "SHOW max_connections"))

	require.NoError(t, p.stop(t.Context()))
	require.NoDirExists(t, p.clusterDir())
	require.NoError(t, p.stop(t.Context()), "stopping what doesn't run is harmless")
}

func TestShared_EndsWhenIdle(t *testing.T) {
	t.Parallel()
	p := place(t)
	s, err := p.open(t.Context())
	require.NoError(t, err)
	pid, _, err := s.cluster.readPidFile()
	require.NoError(t, err)
	require.True(t, runsOn(t.Context(), pid, s.cluster.data()))

	longAgo := time.Now().Add(-2 * SharedIdle)
	require.NoError(t, os.Chtimes(s.usedPath(), longAgo, longAgo))
	require.Eventually(t, func() bool { return !runsOn(t.Context(), pid, s.cluster.data()) }, 20*time.Second, 50*time.Millisecond)

	again, err := p.open(t.Context())
	require.NoError(t, err, "a stopped server is made anew")
	dsn, err := again.DSN("postgres")
	require.NoError(t, err)
	require.Equal(t, "off", query(t, dsn, "SHOW fsync"))
}
