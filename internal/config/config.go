// Package config turns the environment into one struct. The struct's tags are the only list there is of what can be set: they name the
// variable, say what it does and give its default, and Table renders them for `grapevine serve --help`.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config is everything that can be set. Every variable may be left out; no default, and no field's zero value, opens anything to the
// outside or turns a check off.
type Config struct {
	DatabaseURL      string `env:"DATABASE_URL" secret:"true" doc:"PostgreSQL to use, as a postgres:// URL; without it one is started from GRAPEVINE_DATA_DIR"`
	OwnerDatabaseURL string `env:"GRAPEVINE_OWNER_DATABASE_URL" secret:"true" doc:"another login to the same database, for migrations and partitions; without it DATABASE_URL serves for both, and requests are worked on in the role grapevine_app"`
	DataDir          string `env:"GRAPEVINE_DATA_DIR" default:".data" doc:"folder of the PostgreSQL that is started when DATABASE_URL is not set"`
	PGBin            string `env:"GRAPEVINE_PG_BIN" doc:"folder with initdb and postgres; without it they are looked for, then fetched"`

	AllowUnsafeDurability bool          `env:"GRAPEVINE_ALLOW_UNSAFE_DURABILITY" doc:"serve although the database may forget what it has acknowledged (fsync, full_page_writes or synchronous_commit is off)"`
	PGMaxConns            int           `env:"GRAPEVINE_PG_MAX_CONNS" default:"32" min:"2" max:"10000" doc:"connections to the database, at most"`
	StatementMode         string        `env:"GRAPEVINE_STATEMENT_MODE" default:"cache_statement" oneof:"cache_statement cache_describe" doc:"cache_describe behind a transaction pooler, whose login must then be, or default to, the role grapevine_app"`
	StatementTimeout      time.Duration `env:"GRAPEVINE_STATEMENT_TIMEOUT" default:"10s" min:"1s" doc:"time after which the database gives a statement up"`

	Listen         string         `env:"GRAPEVINE_LISTEN" default:"127.0.0.1:8080" doc:"address to answer on"`
	PublicURL      string         `env:"GRAPEVINE_PUBLIC_URL" doc:"how the outside reaches this server, the beginning of every link; without it http:// and the address of GRAPEVINE_LISTEN"`
	TrustedProxies []netip.Prefix `env:"GRAPEVINE_TRUSTED_PROXIES" doc:"networks of proxies, as CIDRs with commas between, whose X-Forwarded-For is believed; without it the peer is the client"`
	AllowedOrigins []string       `env:"GRAPEVINE_ALLOWED_ORIGINS" doc:"origins of web pages, as https://shop.example with commas between, that may use publishable keys; without it no page of another origin may"`
	OperatorToken  string         `env:"GRAPEVINE_OPERATOR_TOKEN" secret:"true" doc:"bearer token of at least 32 characters that may create workspaces; without it nobody may"`

	AllowPrivateTargets bool `env:"GRAPEVINE_ALLOW_PRIVATE_TARGETS" doc:"post payouts to webhooks in private networks too, and by http; for tests and closed networks"`

	MaxFactAge        time.Duration `env:"GRAPEVINE_MAX_FACT_AGE" default:"720h" min:"1h" doc:"how far back a fact may claim to have occurred; older ones are refused"`
	KeepClicksDays    int           `env:"GRAPEVINE_KEEP_CLICKS_DAYS" default:"0" min:"0" max:"36500" doc:"days after which clicks are dropped, a whole month at a time and none that a signup may still come of; 0 keeps them for ever"`
	RateLimit         int           `env:"GRAPEVINE_RATE_LIMIT" default:"1000" min:"1" doc:"requests per second and API key, on this instance"`
	MaxBodyBytes      int           `env:"GRAPEVINE_MAX_BODY_BYTES" default:"1048576" min:"1024" doc:"largest request body"`
	RequestTimeout    time.Duration `env:"GRAPEVINE_REQUEST_TIMEOUT" default:"15s" min:"1s" doc:"time to work on a request; a commit that has begun is not cut"`
	ReadHeaderTimeout time.Duration `env:"GRAPEVINE_READ_HEADER_TIMEOUT" default:"5s" min:"100ms" doc:"time to receive a request's headers"`
	ReadTimeout       time.Duration `env:"GRAPEVINE_READ_TIMEOUT" default:"15s" min:"100ms" doc:"time to receive a whole request"`
	IdleTimeout       time.Duration `env:"GRAPEVINE_IDLE_TIMEOUT" default:"2m" min:"1s" doc:"time that an idle connection is kept"`
	DrainDelay        time.Duration `env:"GRAPEVINE_DRAIN_DELAY" default:"0s" min:"0s" doc:"time after SIGTERM in which requests are still taken while /readyz fails already, for balancers that need it"`
	DrainTimeout      time.Duration `env:"GRAPEVINE_DRAIN_TIMEOUT" default:"30s" min:"1s" doc:"time to finish requests after SIGTERM"`

	LogLevel slog.Level `env:"GRAPEVINE_LOG_LEVEL" default:"info" doc:"debug, info, warn or error"`
}

// Load reads the configuration; getenv is os.Getenv outside tests. It reports every fault, not only the first.
func Load(getenv func(string) string) (Config, error) {
	var c Config
	faults := c.fill(getenv)
	faults = append(faults, c.check()...)
	if len(faults) > 0 {
		return Config{}, fmt.Errorf("configuration: %w", errors.Join(faults...))
	}
	return c, nil
}

func (c *Config) check() []error {
	var faults []error
	for name, address := range map[string]string{"DATABASE_URL": c.DatabaseURL, "GRAPEVINE_OWNER_DATABASE_URL": c.OwnerDatabaseURL} {
		if address != "" && !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
			faults = append(faults, fmt.Errorf("%s does not begin with postgres://", name)) // the value may hold a password
		}
	}
	if c.OwnerDatabaseURL != "" && c.DatabaseURL == "" {
		faults = append(faults, errors.New("GRAPEVINE_OWNER_DATABASE_URL is of no use without DATABASE_URL"))
	}
	if c.OperatorToken != "" && len(c.OperatorToken) < 32 {
		faults = append(faults, errors.New("GRAPEVINE_OPERATOR_TOKEN has fewer than 32 characters"))
	}
	for _, origin := range c.AllowedOrigins {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			faults = append(faults, fmt.Errorf("GRAPEVINE_ALLOWED_ORIGINS: %q is not an origin such as https://shop.example", origin))
		}
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			faults = append(faults, fmt.Errorf("GRAPEVINE_PUBLIC_URL %q is not an http(s) address without query and fragment", c.PublicURL))
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	}
	return faults
}

// LogValue shows the configuration without its secrets.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range fields(&c) {
		switch text := f.text(); {
		case text == "":
		case f.secret:
			attrs = append(attrs, slog.String(f.env, "set"))
		default:
			attrs = append(attrs, slog.String(f.env, text))
		}
	}
	return slog.GroupValue(attrs...)
}
