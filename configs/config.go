package configs

import "time"

// Config is every key of the service. A zero Config is not usable: the defaults come from kong.
type Config struct {
	File File `name:"config" env:"SKALD_CONFIG" placeholder:"FILE" help:"YAML file with these keys."`

	DataDir    string `env:"SKALD_DATA_DIR" placeholder:"DIR" help:"Where dev mode keeps its servers' data. Empty: /var/lib/skald/data as root, else the user's cache folder."`
	InstanceID string `env:"SKALD_INSTANCE_ID" placeholder:"NAME" help:"A name that this replica keeps over restarts: it then joins the reply group as a static member. Empty: dynamic membership."`
	Cluster    string `env:"SKALD_CLUSTER" default:"default" help:"Name of this installation in the source of every message: /skald/<cluster>."`
	ReplyKeys  Secret `env:"SKALD_REPLY_KEYS" placeholder:"KID:HEX,..." help:"Keys of the reply tokens; the first signs, all verify. Empty: the ring in table keys."`

	Auth                 string        `env:"SKALD_AUTH" enum:"none,keys,oidc,both" default:"none" help:"Who is let in: keys (API keys), oidc (tokens of a provider), both, or none: then only this machine is served, and everybody is admin."`
	AllowUnauthenticated bool          `env:"SKALD_ALLOW_UNAUTHENTICATED" help:"Serve beyond loopback without authentication: everybody who reaches the port is admin."`
	DrainLimit           time.Duration `env:"SKALD_DRAIN_LIMIT" default:"30s" help:"How long a shutdown may take to finish what is in hand."`

	HTTP       HTTP       `embed:"" prefix:"http-" envprefix:"SKALD_HTTP_"`
	Admin      Admin      `embed:"" prefix:"admin-" envprefix:"SKALD_ADMIN_"`
	OIDC       OIDC       `embed:"" prefix:"oidc-" envprefix:"SKALD_OIDC_"`
	Session    Session    `embed:"" prefix:"session-" envprefix:"SKALD_SESSION_"`
	Database   Database   `embed:"" prefix:"database-" envprefix:"SKALD_DATABASE_"`
	Kafka      Kafka      `embed:"" prefix:"kafka-" envprefix:"SKALD_KAFKA_"`
	Topics     Topics     `embed:"" prefix:"topics-" envprefix:"SKALD_TOPICS_"`
	Starts     Starts     `embed:"" prefix:"starts-" envprefix:"SKALD_STARTS_"`
	Intake     Intake     `embed:"" prefix:"intake-" envprefix:"SKALD_INTAKE_"`
	Sweep      Sweep      `embed:"" prefix:"sweep-" envprefix:"SKALD_SWEEP_"`
	Outbox     Outbox     `embed:"" prefix:"outbox-" envprefix:"SKALD_OUTBOX_"`
	Quarantine Quarantine `embed:"" prefix:"quarantine-" envprefix:"SKALD_QUARANTINE_"`
	Breaker    Breaker    `embed:"" prefix:"breaker-" envprefix:"SKALD_BREAKER_"`
	Retention  Retention  `embed:"" prefix:"retention-" envprefix:"SKALD_RETENTION_"`
	Webhook    Webhook    `embed:"" prefix:"webhook-" envprefix:"SKALD_WEBHOOK_"`
	Tracing    Tracing    `embed:"" prefix:"tracing-" envprefix:"SKALD_TRACING_"`
	Log        Log        `embed:"" prefix:"log-" envprefix:"SKALD_LOG_"`
}

// HTTP is the API and its pages.
type HTTP struct {
	Addr              string        `env:"ADDR" default:"127.0.0.1:8080" help:"Address of the API and its pages."`
	HeaderLimit       Bytes         `env:"HEADER_LIMIT" default:"16KiB" help:"Largest request header."`
	HeaderReadTimeout time.Duration `env:"HEADER_READ_TIMEOUT" default:"5s" help:"How long a client may take to send its header."`
	BodyReadTimeout   time.Duration `env:"BODY_READ_TIMEOUT" default:"15s" help:"How long a client may take to send its body."`
	IdleTimeout       time.Duration `env:"IDLE_TIMEOUT" default:"60s" help:"How long an idle connection is kept."`
	Rate              int           `env:"RATE" default:"0" help:"Most requests of one principal in a second, with bursts of twice as many; beyond them 429. 0: no limit."`
}

// OIDC is an OpenID Connect provider, where auth is oidc or both.
type OIDC struct {
	Issuer       string   `env:"ISSUER" placeholder:"URL" help:"The provider, exactly as its tokens name it."`
	Audience     string   `env:"AUDIENCE" placeholder:"NAME" help:"Whom tokens of programs must be meant for."`
	ClientID     string   `env:"CLIENT_ID" placeholder:"NAME" help:"Skald's own name at the provider, to sign people in to the dashboard. Empty: they can't."`
	ClientSecret Secret   `env:"CLIENT_SECRET" placeholder:"TEXT" help:"The client's secret. Empty: a public client."`
	RedirectURL  string   `env:"REDIRECT_URL" placeholder:"URL" help:"Where the provider sends people back: https://<skald>/sign-in/callback."`
	Scopes       []string `env:"SCOPES" default:"openid,profile" placeholder:"NAME,..." help:"What is asked of the provider when people sign in."`
	NameClaim    string   `env:"NAME_CLAIM" default:"sub" help:"The claim that names who it is, in the audit."`
	RolesClaim   string   `env:"ROLES_CLAIM" default:"roles" help:"The claim with the roles; a path such as realm_access.roles leads into objects."`
	TenantClaim  string   `env:"TENANT_CLAIM" default:"tenant" help:"The claim with the tenant."`
	RoleMap      []string `env:"ROLE_MAP" placeholder:"VALUE=ROLE,..." help:"What values of the roles claim stand for, such as sre=operator,platform=admin. Others give nothing."`
	Tenants      []string `env:"TENANTS" default:"default" placeholder:"NAME,..." help:"Tenants that the provider may speak for."`
}

// Session is how long somebody stays signed in to the dashboard.
type Session struct {
	Idle     time.Duration `env:"IDLE" default:"1h" help:"How long a session lasts that nobody uses."`
	Lifetime time.Duration `env:"LIFETIME" default:"12h" help:"How long any session lasts."`
}

// Admin is the listener of /metrics and pprof. It has no authentication.
type Admin struct {
	Addr string `env:"ADDR" default:"127.0.0.1:8081" help:"Address of /metrics and pprof. Empty: none."`
}

// Database is Postgres, with a pool for each role, so that none starves the engine.
type Database struct {
	URL                      Secret        `env:"URL" placeholder:"URL" help:"Postgres 15 or newer, such as postgres://skald@db:5432/skald."`
	EngineConns              int           `env:"ENGINE_CONNS" default:"8" help:"Connections of the engine."`
	APIConns                 int           `env:"API_CONNS" name:"api-conns" default:"8" help:"Connections of the API."`
	EngineStatementTimeout   time.Duration `env:"ENGINE_STATEMENT_TIMEOUT" default:"10s" help:"Longest statement of the engine."`
	APIStatementTimeout      time.Duration `env:"API_STATEMENT_TIMEOUT" name:"api-statement-timeout" default:"5s" help:"Longest statement of the API."`
	LockTimeout              time.Duration `env:"LOCK_TIMEOUT" default:"2s" help:"Longest wait for a lock."`
	IdleInTransactionTimeout time.Duration `env:"IDLE_IN_TRANSACTION_TIMEOUT" default:"5s" help:"When Postgres ends a session that leaves a transaction open."`
}

// Kafka is the cluster. Its acknowledgements, retries and group settings are the engine's own: see the architecture page.
type Kafka struct {
	Brokers []string `env:"BROKERS" placeholder:"HOST:PORT,..." help:"Bootstrap addresses."`
	Group   string   `env:"GROUP" default:"skald" help:"Consumer group of the replicas on the reply topic."`
}

// Topics is how topics are named and made.
type Topics struct {
	Create      bool   `env:"CREATE" default:"true" negatable:"" help:"Make missing topics when a definition is registered or a participant starts; if not, registering is refused."`
	Prefix      string `env:"PREFIX" help:"Put before every topic's name."`
	Partitions  int    `env:"PARTITIONS" default:"12" help:"Partitions of a new topic; the reply topic's are the most replicas that can share the work."`
	Replication int    `env:"REPLICATION" default:"-1" help:"Replicas of a new topic. -1: the broker's default."`
}

// Intake bounds what waits for the committer. A full queue is refused (503), never dropped.
type Intake struct {
	Replies     int   `env:"REPLIES" default:"4096" help:"Replies and timers that may wait."`
	Starts      int   `env:"STARTS" default:"2048" help:"Starts and operator actions that may wait."`
	BatchEvents int   `env:"BATCH_EVENTS" default:"512" help:"Most events in one transaction."`
	BatchBytes  Bytes `env:"BATCH_BYTES" default:"4MiB" help:"Most event bytes in one transaction."`
}

// Sweep looks for sagas that are overdue, whoever should have woken them.
type Sweep struct {
	Interval time.Duration `env:"INTERVAL" default:"2s" help:"Time between two sweeps."`
	Limit    int           `env:"LIMIT" default:"1000" help:"Most sagas taken by one sweep."`
}

// Outbox holds the records that Kafka has not acknowledged yet.
type Outbox struct {
	HighWater int `env:"HIGH_WATER" default:"10000" help:"Unpublished batches at which new starts are refused (503)."`
}

// Quarantine keeps the records that could not be read.
type Quarantine struct {
	BytesPerHour Bytes `env:"BYTES_PER_HOUR" default:"64MiB" help:"Most bytes kept in an hour; beyond it only coordinates and a SHA-256."`
}

// Breaker holds a participant that fails too often, until it answers again.
type Breaker struct {
	Enabled  bool          `env:"ENABLED" default:"true" negatable:"" help:"Hold a participant by itself when it fails too often; if not, only operators hold."`
	Window   time.Duration `env:"WINDOW" default:"30s" help:"How far back answers and timeouts count. Each replica counts its own."`
	Answers  int           `env:"ANSWERS" default:"20" help:"Fewest answers and timeouts to judge by."`
	Sagas    int           `env:"SAGAS" default:"5" help:"Fewest sagas in which some of them failed."`
	Percent  int           `env:"PERCENT" default:"50" help:"How many percent must be technical failures or timeouts."`
	Pause    time.Duration `env:"PAUSE" default:"10s" help:"How long it holds before it tries the participant; doubled each time that trying fails."`
	PauseMax time.Duration `env:"PAUSE_MAX" default:"5m" help:"Longest pause. An operator who ends a breaker keeps it off for this long."`
	Try      time.Duration `env:"TRY" default:"30s" help:"How long trying takes from the first sagas let through to all; longer than the participants' timeouts."`
}

// Retention is how long sagas are kept once they have ended. Live ones are never touched.
type Retention struct {
	Default Span     `env:"DEFAULT" default:"0s" placeholder:"SPAN" help:"How long a saga is kept, such as 90d. 0: for ever."`
	Sagas   []string `env:"SAGAS" placeholder:"NAME=SPAN,..." help:"The same by definition, such as order-placement=30d,refund=1w."`
	Drop    bool     `env:"DROP" help:"Drop the tables of weeks that have left. If not, they stay as tables of their own, to be archived."`
	Handled Span     `env:"HANDLED" default:"30d" placeholder:"SPAN" help:"How long ended operations and handled quarantined records are kept. 0: for ever."`
	Rate    int      `env:"RATE" default:"200" help:"Most sagas that lose their payloads in a second."`
}

// Webhook tells somebody's HTTP server that a person is asked for. Without a URL it is off.
type Webhook struct {
	URL      Secret   `env:"URL" placeholder:"URL" help:"Where to POST: an https address. Empty: nowhere."`
	Secret   Secret   `env:"SECRET" placeholder:"TEXT" help:"Signs every request (HMAC-SHA256); 16 characters or more."`
	Networks []string `env:"NETWORKS" placeholder:"CIDR,..." help:"Private networks that the URL may lead to, such as 10.20.0.0/16; http will do there. Empty: public addresses alone."`
}

// Log goes to standard error.
type Log struct {
	Format string `env:"FORMAT" enum:"text,json" default:"text" help:"text or json."`
	Level  string `env:"LEVEL" enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error."`
}
