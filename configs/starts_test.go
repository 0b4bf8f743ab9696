package configs_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidate_Starts(t *testing.T) {
	cfg, err := parse(t)
	require.NoError(t, err)
	tenants, err := cfg.StartTenants()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"skald.starts": "default"}, tenants)

	cfg, err = parse(t, "--topics-prefix=dev.", "--starts-topics=skald.starts=default,orders.starts=acme", "--starts-reply-to=acme=orders.answers,acme=dev.answers")
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	tenants, err = cfg.StartTenants()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"dev.skald.starts": "default", "dev.orders.starts": "acme"}, tenants)
	answers, err := cfg.StartAnswers()
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"acme": {"orders.answers", "dev.answers"}}, answers)

	cfg, err = parse(t, "--starts-topics=")
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	tenants, err = cfg.StartTenants()
	require.NoError(t, err)
	require.NotNil(t, tenants)
	require.Empty(t, tenants, "empty: none is read")

	for wrong, says := range map[string]string{
		"--starts-topics=orders.starts":                  "starts.topics",
		"--starts-topics=or ders=acme":                   "starts.topics",
		"--starts-topics=orders.starts=Acme":             "starts.topics",
		"--starts-topics=a=acme,a=other":                 "stands twice",
		"--starts-topics=skald.replies=default":          "is for other records",
		"--starts-reply-to=orders.answers":               "starts.reply_to",
		"--starts-reply-to=acme=skald.replies":           "is for other records",
		"--starts-reply-to=acme=skald.events":            "is for other records",
		"--starts-reply-to=acme=skald.starts":            "is for other records",
		"--starts-reply-to=acme=payments.commands":       "is for other records",
		"--starts-reply-to=acme=answers,acme=answers":    "stands twice",
		"--starts-reply-to=acme=answers,default=a/topic": "starts.reply_to",
	} {
		cfg, err := parse(t, wrong)
		require.NoError(t, err)
		require.ErrorContains(t, cfg.Validate(), says, wrong)
	}
}
