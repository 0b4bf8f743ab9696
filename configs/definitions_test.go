package configs_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/skaldhq/skald/configs"
)

func TestDefinitions_RunOnTheReferenceParticipants(t *testing.T) {
	t.Parallel()
	handled := map[string][]string{
		"orders":    {"CreateOrder.v1", "CancelOrder.v1", "ConfirmOrder.v1"},
		"payments":  {"ChargePayment.v1", "RefundPayment.v1"},
		"inventory": {"ReserveItems.v1", "ReleaseItems.v1"},
		"shipping":  {"CreateShipment.v1"},
	}
	files, err := fs.Glob(configs.Definitions(), "*.yaml")
	require.NoError(t, err)
	require.Contains(t, files, configs.DefinitionPlacement)
	for _, file := range files {
		content, err := fs.ReadFile(configs.Definitions(), file)
		require.NoError(t, err)
		var d struct {
			Saga  string
			Steps []struct {
				Participant, Command string
				Compensation         struct{ Command string }
			}
		}
		require.NoError(t, yaml.Unmarshal(content, &d), file)
		require.Equal(t, strings.TrimSuffix(file, ".yaml"), d.Saga)
		require.NotEmpty(t, d.Steps)
		for _, step := range d.Steps {
			require.Contains(t, handled[step.Participant], step.Command, file)
			if step.Compensation.Command != "" {
				require.Contains(t, handled[step.Participant], step.Compensation.Command, file)
			}
		}
	}
}
