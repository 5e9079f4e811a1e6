package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/config"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheReadmeHasTheTableOfSettings(t *testing.T) {
	t.Parallel()
	text := readme(t)
	rows := strings.Split(strings.TrimSpace(config.Table()), "\n")[1:]
	for _, row := range rows {
		cells := regexp.MustCompile(`  +`).Split(row, 3)
		if want := "| `" + cells[0] + "` | " + cells[1] + " | " + cells[2] + " |"; !strings.Contains(text, want) {
			t.Errorf("README.md lacks\n%s", want)
		}
	}
	if n := strings.Count(text, "\n| `GRAPEVINE_") + strings.Count(text, "\n| `DATABASE_URL"); n != len(rows) {
		t.Errorf("README.md has %d settings, not %d", n, len(rows))
	}
}

func TestTheReadmeNamesTestsAndCommandsThatExist(t *testing.T) {
	t.Parallel()
	text := readme(t)
	for _, c := range commands() {
		if !strings.Contains(text, "| `grapevine "+c.name+"` |") {
			t.Errorf("README.md lacks %s", c.name)
		}
	}
	tests := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			tests[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text, -1) {
		if !tests[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
}
