package configs_test

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/configs"
)

var update = flag.Bool("update", false, "write skald.yaml anew")

// parse fills a Config as a command does.
func parse(t *testing.T, args ...string) (configs.Config, error) {
	t.Helper()
	var cfg configs.Config
	app, err := kong.New(&cfg)
	require.NoError(t, err)
	_, err = app.Parse(args)
	return cfg, err
}

// write makes a configuration file.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "skald.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestConfig_DefaultsAreValid(t *testing.T) {
	cfg, err := parse(t)
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	require.Equal(t, "127.0.0.1:8080", cfg.HTTP.Addr)
	require.Equal(t, "127.0.0.1:8081", cfg.Admin.Addr)
	require.Equal(t, 30*time.Second, cfg.DrainLimit, "L8: SIGTERM drains within 30 s")
	require.True(t, cfg.Topics.Create)
	require.Equal(t, 12, cfg.Topics.Partitions)
	require.Equal(t, -1, cfg.Topics.Replication)
	require.EqualValues(t, 4<<20, cfg.Intake.BatchBytes)
}

func TestConfig_EveryKeyHasThreeSpellings(t *testing.T) {
	// A value for each key that differs from its default, by the default's form.
	other := func(key configs.Key) string {
		switch {
		case key.Path == "auth":
			return "keys"
		case key.Path == "log.format":
			return "json"
		case key.Path == "log.level":
			return "debug"
		case key.Default == "true":
			return "false"
		case key.Default == "false":
			return "true"
		case strings.HasSuffix(key.Default, "iB"):
			return "2GiB"
		case strings.HasSuffix(key.Default, "s") && key.Path != "http.addr", strings.HasSuffix(key.Default, "5m"), strings.HasPrefix(key.Path, "session."):
			return "71s"
		case strings.HasSuffix(key.Default, "d"):
			return "77d"
		case strings.Contains(key.Default, ":"), strings.Contains(key.Path, "brokers"):
			return "127.0.0.1:1234"
		case key.Default != "" && strings.Trim(key.Default, "-0123456789") == "":
			return "77"
		}
		return "other"
	}
	defaults, err := parse(t)
	require.NoError(t, err)
	for _, key := range configs.Keys() {
		t.Run(key.Path, func(t *testing.T) {
			require.NotEmpty(t, key.Help)
			value := other(key)
			byFlag, err := parse(t, key.Flag+"="+value)
			require.NoError(t, err)
			require.NotEqual(t, defaults, byFlag, "the flag has no effect")

			yaml := key.Path + ": '" + value + "'\n"
			if group, name, nested := strings.Cut(key.Path, "."); nested {
				yaml = group + ":\n  " + name + ": '" + value + "'\n"
			}
			byFile, err := parse(t, "--config="+write(t, yaml))
			require.NoError(t, err)
			byFile.File = ""
			require.Equal(t, byFlag, byFile)

			t.Setenv(key.Env, value)
			byEnv, err := parse(t)
			require.NoError(t, err)
			require.Equal(t, byFlag, byEnv)
			require.Equal(t, "SKALD_"+strings.ToUpper(strings.ReplaceAll(key.Path, ".", "_")), key.Env)
		})
	}
}

func TestConfig_FlagOverEnvironmentOverFile(t *testing.T) {
	file := write(t, "http: {addr: '127.0.0.1:1'}\nkafka:\n  brokers: ['a:1', 'b:2']\n  group: from-file\n")
	t.Setenv("SKALD_CONFIG", file)
	cfg, err := parse(t)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", cfg.HTTP.Addr)
	require.Equal(t, []string{"a:1", "b:2"}, cfg.Kafka.Brokers)

	t.Setenv("SKALD_HTTP_ADDR", "127.0.0.1:2")
	cfg, err = parse(t)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:2", cfg.HTTP.Addr)
	require.Equal(t, "from-file", cfg.Kafka.Group)

	cfg, err = parse(t, "--http-addr=127.0.0.1:3")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3", cfg.HTTP.Addr)
}

func TestConfig_EmptyTurnsAdminOff(t *testing.T) {
	cfg, err := parse(t, "--config="+write(t, "admin: {addr: ''}"))
	require.NoError(t, err)
	require.Empty(t, cfg.Admin.Addr)
	t.Setenv("SKALD_ADMIN_ADDR", "")
	cfg, err = parse(t)
	require.NoError(t, err)
	require.Empty(t, cfg.Admin.Addr)
	require.NoError(t, cfg.Validate())
}

func TestConfig_FileReportsAllMistakes(t *testing.T) {
	_, err := parse(t, "--config="+write(t, `
http:
  adr: 127.0.0.1:1
  header_limit: 1MB
body_read_timeout: 3s
intake: 7
log: {level: loud}
drain_limit: soon
topics: {partitions: [1, {a: 2}], create:}
whatever-this-is: 1
`))
	require.Error(t, err)
	for _, want := range []string{
		"skald.yaml:3:3: http.adr: unknown key, did you mean http.addr?",
		`skald.yaml:4:17: http.header_limit: size "1MB": want a whole number`,
		"skald.yaml:5:1: body_read_timeout: unknown key, did you mean http.body_read_timeout?",
		"skald.yaml:6:9: intake: want keys with values",
		`skald.yaml:7:14: log.level: "loud": want one of debug, info, warn, error`,
		"skald.yaml:8:14: drain_limit: ",
		"skald.yaml:9:26: topics.partitions: want a list of plain values",
		"topics.create: has no value",
		"skald.yaml:10:1: whatever-this-is: unknown key\n",
	} {
		require.Contains(t, err.Error()+"\n", want)
	}
}

func TestConfig_FileThatCannotBeUsed(t *testing.T) {
	_, err := parse(t, "--config="+filepath.Join(t.TempDir(), "missing.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist, "a named file must be there")
	_, err = parse(t, "--config="+write(t, "http: [unclosed"))
	require.Error(t, err)
	_, err = parse(t, "--config="+write(t, "http: {addr: 'a:1'}\nhttp: {addr: 'b:1'}\n"))
	require.Error(t, err, "a key that stands twice")
	_, err = parse(t, "--config="+write(t, "log: {level: info}\n---\nlog: {level: debug}\n"))
	require.Error(t, err, "a second document would be ignored silently")
	for _, empty := range []string{"", "# nothing\n", "---\n", "http:\n"} {
		_, err = parse(t, "--config="+write(t, empty))
		require.NoError(t, err, "%q", empty)
	}
}

func TestValidate_ReportsAllMistakes(t *testing.T) {
	cfg, err := parse(t)
	require.NoError(t, err)
	cfg.HTTP.Addr = "0.0.0.0:8080"
	cfg.HTTP.HeaderLimit = 1024
	cfg.Admin.Addr = "nowhere"
	cfg.Database.URL = "postgres://u:hunter2@host:notaport/db"
	cfg.Database.EngineConns = 0
	cfg.Database.LockTimeout = 0
	cfg.Kafka.Brokers = []string{"ok:9092", "bad"}
	cfg.Topics.Prefix = "a b"
	cfg.Topics.Replication = 0
	cfg.ReplyKeys = "nonsense"
	cfg.Cluster = "Über"
	cfg.InstanceID = "a/b"
	cfg.Log.Format = "xml"
	err = cfg.Validate("kafka.brokers", "data_dir")
	require.Error(t, err)
	var keys []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, _, _ := strings.Cut(line, ":")
		keys = append(keys, key)
	}
	require.Equal(t, []string{
		"admin.addr", "cluster", "data_dir", "database.engine_conns", "database.lock_timeout", "database.url", "http.addr",
		"http.header_limit", "instance_id", "kafka.brokers", "log.format", "reply_keys", "topics.prefix", "topics.replication",
	}, keys)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestValidate_BeyondLoopbackNeedsAWord(t *testing.T) {
	cfg, err := parse(t)
	require.NoError(t, err)
	for addr, local := range map[string]bool{
		"127.0.0.1:0": true, "127.9.9.9:80": true, "localhost:80": true, "[::1]:80": true,
		":8080": false, "0.0.0.0:80": false, "[::]:80": false, "192.168.1.1:80": false, "example.org:80": false,
	} {
		cfg.HTTP.Addr, cfg.AllowUnauthenticated = addr, false
		require.Equal(t, local, cfg.Validate() == nil, addr)
		cfg.AllowUnauthenticated = true
		require.NoError(t, cfg.Validate(), addr)
	}
}

func TestSecret_NeverShows(t *testing.T) {
	cfg, err := parse(t, "--database-url=postgres://u:hunter2@h/db", "--reply-keys=hunter2")
	require.NoError(t, err)
	require.Equal(t, "postgres://u:hunter2@h/db", cfg.Database.URL.Reveal())
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("configured", "config", cfg, "url", cfg.Database.URL)
	slog.New(slog.NewTextHandler(&log, nil)).Info("configured", "config", cfg, "url", cfg.Database.URL)
	require.Contains(t, log.String(), "[redacted]")
	require.NotContains(t, log.String(), "hunter2")
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]configs.Bytes{"0": 0, "17": 17, "17B": 17, "16KiB": 16 << 10, "3 MiB": 3 << 20, "2GiB": 2 << 30} {
		var b configs.Bytes
		require.NoError(t, b.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, b, text)
		var again configs.Bytes
		require.NoError(t, again.UnmarshalText([]byte(b.String())))
		require.Equal(t, b, again)
	}
	for _, text := range []string{"", "1MB", "-1", "1.5MiB", "MiB", "9223372036854775807KiB"} {
		require.Error(t, new(configs.Bytes).UnmarshalText([]byte(text)), text)
	}
}

func TestSampleFile_IsUpToDate(t *testing.T) {
	if *update {
		require.NoError(t, os.WriteFile("skald.yaml", []byte(configs.SampleFile()), 0o644))
	}
	stored, err := os.ReadFile("skald.yaml")
	require.NoError(t, err)
	require.Equal(t, configs.SampleFile(), string(stored), "run: go test ./configs -update")
}

func TestSampleFile_SaysTheDefaults(t *testing.T) {
	// Uncommented, it must read, and change nothing.
	var uncommented strings.Builder
	for line := range strings.Lines(configs.SampleFile()) {
		text := strings.TrimPrefix(line, "#")
		if strings.HasPrefix(strings.TrimSpace(text), "#") || strings.HasPrefix(text, " Every") || strings.HasPrefix(text, " variable") {
			continue
		}
		uncommented.WriteString(text)
	}
	withFile, err := parse(t, "--config="+write(t, uncommented.String()))
	require.NoError(t, err)
	plain, err := parse(t)
	require.NoError(t, err)
	withFile.File = ""
	for _, list := range []*[]string{&withFile.Kafka.Brokers, &withFile.Retention.Sagas, &withFile.Starts.ReplyTo, &withFile.OIDC.RoleMap, &withFile.Webhook.Networks} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	require.Equal(t, plain, withFile)
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "36h": 36 * time.Hour, "1h30m": 90 * time.Minute} {
		var s configs.Span
		require.NoError(t, s.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, time.Duration(s), text)
		var again configs.Span
		require.NoError(t, again.UnmarshalText([]byte(s.String())))
		require.Equal(t, s, again)
	}
	for _, text := range []string{"", "90", "d", "-1d", "1.5d", "99999d", "-1h", "1y"} {
		require.Error(t, new(configs.Span).UnmarshalText([]byte(text)), text)
	}
}

func TestValidate_Retention(t *testing.T) {
	cfg, err := parse(t, "--retention-default=90d", "--retention-sagas=order-placement=30d,refund=0")
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	policies, err := cfg.Retention.Policies()
	require.NoError(t, err)
	require.Equal(t, map[string]time.Duration{"order-placement": 30 * 24 * time.Hour, "refund": 0}, policies)
	for _, wrong := range [][]string{
		{"--retention-default=1h"},
		{"--retention-handled=1h"},
		{"--retention-sagas=order-placement"},
		{"--retention-sagas=order-placement=soon"},
		{"--retention-sagas=order-placement=3h"},
		{"--retention-sagas=Order=3d"},
		{"--retention-sagas=a=3d,a=4d"},
		{"--retention-rate=0"},
	} {
		cfg, err := parse(t, wrong...)
		require.NoError(t, err)
		require.ErrorContains(t, cfg.Validate(), "retention.", "%v", wrong)
	}
}

func TestValidate_Webhook(t *testing.T) {
	secret := "--webhook-secret=0123456789abcdef"
	for _, right := range [][]string{
		{"--webhook-url=https://example.org/hooks?key=1", secret},
		{"--webhook-url=http://pager.internal:9000/", secret, "--webhook-networks=10.0.0.0/8,fd00::/8"},
	} {
		cfg, err := parse(t, right...)
		require.NoError(t, err)
		require.NoError(t, cfg.Validate(), "%v", right)
	}
	for _, wrong := range [][]string{
		{"--webhook-url=https://example.org/hunter2"},
		{"--webhook-url=https://example.org/hunter2", "--webhook-secret=short"},
		{"--webhook-url=http://example.org/hunter2", secret},
		{"--webhook-url=ftp://example.org/hunter2", secret},
		{"--webhook-url=hunter2", secret},
		{"--webhook-networks=10.0.0.0"},
	} {
		cfg, err := parse(t, wrong...)
		require.NoError(t, err)
		err = cfg.Validate()
		require.ErrorContains(t, err, "webhook.", "%v", wrong)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
