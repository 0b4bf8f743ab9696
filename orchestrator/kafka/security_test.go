package kafka

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []Mechanism{Plain, ScramSHA256, ScramSHA512} {
		t.Run(string(mechanism), func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(string(mechanism), "skald", "secret"))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			cfg := Config{Brokers: cluster.ListenAddrs(), SASL: &SASL{Mechanism: mechanism, User: "skald", Password: "secret"}}
			admin, err := NewAdmin(cfg)
			require.NoError(t, err)
			_, err = admin.Ensure(within(t), "orders.commands")
			require.NoError(t, err)

			cfg.SASL = &SASL{Mechanism: mechanism, User: "skald", Password: "wrong"}
			stranger, err := NewAdmin(cfg)
			require.NoError(t, err)
			_, err = stranger.Ensure(within(t), "orders.commands")
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, *cfg.SASL, *cfg.SASL), "wrong")
		})
	}
}
