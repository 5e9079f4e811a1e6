//go:build unix

package postgres

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProgramsOfTheDataFoldersVersionAreUsedOrNone(t *testing.T) {
	t.Parallel()
	acct, err := chooseAccount()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := findBinaries(t.Context(), "", 999, acct, log); err == nil || !strings.Contains(err.Error(), "holds data of PostgreSQL 999") {
		t.Errorf("err = %v", err)
	}
	if _, err := findBinaries(t.Context(), t.TempDir(), 0, acct, log); err == nil || !strings.Contains(err.Error(), "does not hold programs") {
		t.Errorf("err = %v", err)
	}
	b, err := findBinaries(t.Context(), "", 0, acct, log)
	if err != nil {
		t.Fatal(err)
	}
	again, err := findBinaries(t.Context(), b.dir, b.major, acct, log)
	if err != nil || again != b {
		t.Errorf("%v, %v", again, err)
	}
}

func TestNotFoundTellsWhatToType(t *testing.T) {
	t.Parallel()
	err := notFound("", 0, []string{"/usr/lib/postgresql/12/bin (version 12)"})
	if !errors.Is(err, errNotFound) || !strings.Contains(err.Error(), "apt install postgresql") || !strings.Contains(err.Error(), "version 12") {
		t.Errorf("err = %v", err)
	}
}

// A stand-in for npm "downloads" an archive of ours: one that has the checksum is unpacked with its links, any other is refused.
func TestFetchedProgramsAreCheckedAndUnpacked(t *testing.T) {
	archive := npmArchive(t, map[string]string{
		"package/package.json":            "{}",
		"package/native/bin/initdb":       "#!/bin/sh\n",
		"package/native/lib/libz.so.1.2":  "z",
		"package/native/pg-symlinks.json": `[{"source":"native/lib/libz.so.1.2","target":"native/lib/libz.so.1"}]`,
	})
	dir := t.TempDir()
	saved := filepath.Join(dir, "saved")
	script := "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --pack-destination ] && to=$2; shift; done\ncp " + saved + " \"$to/x.tgz\"\n"
	if err := errors.Join(os.WriteFile(saved, archive, 0o600), os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o700)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))

	if _, err := npmPack(t.Context(), t.TempDir(), "x@1", "AAAA"); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong checksum gave %v", err)
	}
	sum := sha512.Sum512(archive)
	got, err := npmPack(t.Context(), t.TempDir(), "x@1", base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	if err := unpack(got, home); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(home, "lib", "libz.so.1")); err != nil || string(text) != "z" {
		t.Errorf("the link gives %q, %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(home, "bin", "initdb")); err != nil || info.Mode()&0o111 != 0o111 {
		t.Errorf("initdb: %v, %v", info, err)
	}
}

func TestAnArchiveCannotWriteOutsideItsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "home")
	if err := unpack(npmArchive(t, map[string]string{"package/native/../../evil": "x"}), dir); err == nil {
		t.Error("an archive wrote outside its folder")
	}
}

func npmArchive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	w := tar.NewWriter(zipped)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
