// Package doctor looks for what should never be: books that do not balance, counters that differ from their facts, decisions that
// do not replay, a referral tree with a cycle, settings that lose data. It repairs nothing.
//
// A check is a statement in checks/, whose every row is a finding, or a Go function where a rule has to be asked. All statements see
// one snapshot, read-only. Settlements alone work on live rows, in transactions that are rolled back.
package doctor

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Finding is one thing that is wrong.
type Finding struct {
	Check string
	Text  string
}

func (f Finding) String() string { return f.Check + ": " + f.Text }

// Check is one question to a database.
type Check struct {
	Name  string
	About string
	find  func(ctx context.Context, tx pgx.Tx) ([]string, error)
}

//go:embed checks/*.sql
var statements embed.FS

// Checks returns every check of a snapshot, by name.
func Checks() []Check {
	checks := []Check{
		{"decisions_replay", "Every stored decision replays to the same answer, byte for byte, and its inputs have their hash.", decisionsReplay},
		{"log_is_whole", "The log of every workspace is the chain that was written, and there is nothing beside it.", logIsWhole},
		{"base_amounts", "Every sale in another currency is worth what the recorded rate that it names says.", baseAmounts},
		{"no_cycles", "Nobody came into a program through somebody whom they brought in.", noCycles},
	}
	files, err := fs.Glob(statements, "checks/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range files {
		text, err := fs.ReadFile(statements, file)
		if err != nil {
			panic(err) // it was listed
		}
		about, sql, _ := strings.Cut(string(text), "\n")
		checks = append(checks, Check{
			Name:  strings.TrimSuffix(path.Base(file), ".sql"),
			About: strings.TrimPrefix(about, "-- "),
			find:  statement(sql),
		})
	}
	slices.SortFunc(checks, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return checks
}

// statement is a check whose rows are its findings.
func statement(sql string) func(ctx context.Context, tx pgx.Tx) ([]string, error) {
	return func(ctx context.Context, tx pgx.Tx) ([]string, error) {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[string])
	}
}

// Examine asks every check about one snapshot of a database. The connection may be the application's.
func Examine(ctx context.Context, conn *pgx.Conn, checks []Check) ([]Finding, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("doctor: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	var findings []Finding
	for _, c := range checks {
		texts, err := c.find(ctx, tx)
		if err != nil {
			return findings, fmt.Errorf("doctor: %s: %w", c.Name, err)
		}
		for _, text := range texts {
			findings = append(findings, Finding{Check: c.Name, Text: text})
		}
	}
	return findings, nil
}
