//go:build unix

package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who runs postgres. PostgreSQL refuses to run as root, so root hands it to somebody else.
type account struct {
	drop     bool // we are root; uid and gid are who it becomes
	uid, gid int
}

func chooseAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	// initdb wants an account that has a name, hence the look-ups.
	lookups := []func() (*user.User, error){
		func() (*user.User, error) { return user.Lookup("postgres") },
		func() (*user.User, error) { return user.LookupId(os.Getenv("SUDO_UID")) },
		func() (*user.User, error) { return user.Lookup("nobody") },
	}
	for _, lookup := range lookups {
		u, err := lookup()
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if errors.Join(err, err2) == nil && uid != 0 {
			return account{drop: true, uid: uid, gid: gid}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no account postgres or nobody to run it: start as another user")
}

// command prepares a program to run as the account, in a folder that the account can enter, with no more environment than it needs.
func (a account) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return cmd
}

// own makes a folder that belongs to the account alone.
func (a account) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if a.drop {
		if err := os.Chown(dir, a.uid, a.gid); err != nil {
			return fmt.Errorf("hand the data folder over: %w", err)
		}
	}
	return nil
}

func (a account) writeFile(path, text string) error {
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	if a.drop {
		return os.Chown(path, a.uid, a.gid)
	}
	return nil
}

// canEnter reports whether the account gets into dir and all folders above it that exist.
func (a account) canEnter(dir string) bool {
	if !a.drop {
		return true // the system will tell
	}
	for dir, err := filepath.Abs(dir); err == nil; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !a.mayExecute(info) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
	return false
}

func (a account) mayExecute(info os.FileInfo) bool {
	stat := info.Sys().(*syscall.Stat_t)
	switch {
	case int(stat.Uid) == a.uid:
		return info.Mode()&0o100 != 0
	case int(stat.Gid) == a.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}

// reachable is dir, or for root a folder that stands for it where the account can get: a checkout under a closed home is out of its reach.
func (a account) reachable(dir string, log *slog.Logger) string {
	if a.canEnter(dir) {
		return dir
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		absolute = dir
	}
	elsewhere := filepath.Join("/var/lib/grapevine", fmt.Sprintf("%x", sha256.Sum256([]byte(absolute)))[:12])
	log.Info("the account that runs PostgreSQL cannot enter the data folder; the data is kept elsewhere", "wanted", dir, "used", elsewhere)
	return elsewhere
}

// cacheDir is where fetched programs are kept, within the account's reach.
func (a account) cacheDir() (string, error) {
	if a.drop {
		return "/var/cache/grapevine", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "grapevine"), err
}
