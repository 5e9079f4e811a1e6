package config_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/config"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestAnEmptyEnvironmentIsSafe(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		DataDir: ".data", PGMaxConns: 32, StatementMode: "cache_statement", StatementTimeout: 10 * time.Second,
		Listen: "127.0.0.1:8080", MaxFactAge: 720 * time.Hour, RateLimit: 1000, MaxBodyBytes: 1 << 20, RequestTimeout: 15 * time.Second,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, DrainTimeout: 30 * time.Second,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestEveryKindOfValueIsRead(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env(map[string]string{
		"DATABASE_URL":                      "postgres://u:p@h/d",
		"GRAPEVINE_ALLOW_UNSAFE_DURABILITY": "true",
		"GRAPEVINE_PG_MAX_CONNS":            " 7 ",
		"GRAPEVINE_DRAIN_TIMEOUT":           "90s",
		"GRAPEVINE_TRUSTED_PROXIES":         "10.1.2.3/8, fd00::/8",
		"GRAPEVINE_LOG_LEVEL":               "debug",
		"GRAPEVINE_PUBLIC_URL":              "https://ref.example/go/",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !c.AllowUnsafeDurability || c.PGMaxConns != 7 || c.DrainTimeout != 90*time.Second || c.LogLevel != slog.LevelDebug || c.PublicURL != "https://ref.example/go" {
		t.Errorf("%+v", c)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}; !reflect.DeepEqual(c.TrustedProxies, want) {
		t.Errorf("proxies = %v", c.TrustedProxies)
	}
}

func TestAllFaultsAreReportedAtOnceAndNoSecretIsShown(t *testing.T) {
	t.Parallel()
	_, err := config.Load(env(map[string]string{
		"DATABASE_URL":              "mysql://u:hunter2@h/d",
		"GRAPEVINE_OPERATOR_TOKEN":  "hunter2",
		"GRAPEVINE_PG_MAX_CONNS":    "1",
		"GRAPEVINE_RATE_LIMIT":      "many",
		"GRAPEVINE_STATEMENT_MODE":  "simple_protocol",
		"GRAPEVINE_REQUEST_TIMEOUT": "5",
		"GRAPEVINE_TRUSTED_PROXIES": "10.0.0.1",
		"GRAPEVINE_PUBLIC_URL":      "ref.example",
		"GRAPEVINE_ALLOWED_ORIGINS": "https://shop.example, https://shop.example/path",
		"GRAPEVINE_LOG_LEVEL":       "loud",
	}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"DATABASE_URL", "GRAPEVINE_ALLOWED_ORIGINS", "GRAPEVINE_OPERATOR_TOKEN", "GRAPEVINE_PG_MAX_CONNS", "GRAPEVINE_RATE_LIMIT", "GRAPEVINE_STATEMENT_MODE",
		"GRAPEVINE_REQUEST_TIMEOUT", "GRAPEVINE_TRUSTED_PROXIES", "GRAPEVINE_PUBLIC_URL", "GRAPEVINE_LOG_LEVEL",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not reported in: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is shown: %v", err)
	}
}

func TestTheLogShowsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env(map[string]string{
		"DATABASE_URL": "postgres://u:hunter2@h/d", "GRAPEVINE_OWNER_DATABASE_URL": "postgres://o:hunter2@h/d",
		"GRAPEVINE_OPERATOR_TOKEN": "hunter2hunter2hunter2hunter2hunter2",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "config", c)
	if strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), `"DATABASE_URL":"set"`) {
		t.Errorf("%s", out.String())
	}
}

func TestTheTableListsEveryField(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(config.Table()), "\n")
	if fields := reflect.TypeFor[config.Config]().NumField(); len(lines) != fields+1 {
		t.Errorf("%d lines for %d fields", len(lines), fields)
	}
	for _, line := range lines[1:] {
		if !regexp.MustCompile(`^(DATABASE_URL|GRAPEVINE_[A-Z_]+) +\S+ +\S.*`).MatchString(line) {
			t.Errorf("line %q lacks something", line)
		}
	}
}
