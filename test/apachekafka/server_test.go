package apachekafka_test

import (
	"os/exec"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/test/apachekafka"
)

// needJava skips on machines that only have Go; .ci/run installs both.
func needJava(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Kafka")
	}
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
}

func TestStart_KeepsItsDataOverACrash(t *testing.T) {
	needJava(t)
	dir := t.TempDir()
	s, err := apachekafka.Start(t.Context(), apachekafka.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	admin, err := sarama.NewClusterAdmin([]string{s.Addr()}, cfg)
	require.NoError(t, err)
	require.NoError(t, admin.CreateTopic("kept", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: -1}, false))
	require.NoError(t, admin.Close())
	require.NoError(t, s.Kill())

	again, err := apachekafka.Start(t.Context(), apachekafka.Config{Dir: dir, Port: s.Port()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, again.Stop()) })
	require.Equal(t, s.Addr(), again.Addr())
	client, err := sarama.NewClient([]string{again.Addr()}, cfg)
	require.NoError(t, err)
	defer client.Close()
	partitions, err := client.Partitions("kept")
	require.NoError(t, err)
	require.Len(t, partitions, 2)
}
