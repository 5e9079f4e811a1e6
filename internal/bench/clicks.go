package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

const (
	codes    = 200
	visitors = 50_000
)

// clickBench is a workspace full of codes and what is remembered of the answers.
type clickBench struct {
	*bed
	workspace, program uuid.UUID
	elsewhere          uuid.UUID // where the ways without HTTP write
	code               [codes]uuid.UUID
	referrer           [codes]uuid.UUID

	acknowledged []uuid.UUID
	anonymous    int // answers without an id
}

// benchClicks compares a followed link, statistics included, with doing nothing over HTTP, and with what the database does without
// HTTP. It fails when an acknowledged click is not stored or a statistic is not what the facts say.
func benchClicks(ctx context.Context, on *bed) error {
	b := &clickBench{bed: on}
	if err := b.seed(ctx); err != nil {
		return err
	}
	stopServer, address, err := serve(ctx, b.store)
	if err != nil {
		return err
	}
	defer stopServer()
	stopEmpty, empty, err := startEmpty()
	if err != nil {
		return err
	}
	defer stopEmpty()
	stopFolding := b.fold(ctx)
	ways := []way{
		{name: "followed link over HTTP, statistics included", sample: b.followLinks(address)},
		{name: "empty Echo handler over HTTP", sample: emptyHandler(empty)},
		{name: "group commit alone: COPY of as many rows as there are clients, no HTTP", setUp: b.groupCommits},
		{name: "one insert and commit for each click, no HTTP", setUp: b.singleCommits},
	}
	for _, clients := range []int{32, 128} {
		fmt.Printf("\nclicks, %d connections\n", clients)
		results, err := measureAll(ctx, ways, clients, b.rounds, b.time)
		if err != nil {
			return err
		}
		if err := table(os.Stdout, ways, results); err != nil {
			return err
		}
		link, nothing := results[0], results[1]
		fmt.Printf("to the empty handler: %.2f of its rate (goal 0.40), p99 %.1f times its p99 (goal 3)\n",
			link.rate()/nothing.rate(), float64(link.percentile(99))/float64(nothing.percentile(99)))
	}
	if err := stopFolding(); err != nil {
		return err
	}
	return b.check(ctx)
}

func (b *clickBench) seed(ctx context.Context) error {
	q, now := db.New(), time.Now().UTC()
	b.workspace, b.program, b.elsewhere = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	pool := b.store.DB(b.workspace)
	err := q.CreateWorkspace(ctx, pool, db.CreateWorkspaceParams{
		WorkspaceID: b.workspace, Name: "bench", Mode: "live", Slug: "benchbench", PairedWorkspaceID: b.workspace,
		HashKey: bytes.Repeat([]byte{7}, 32), CreatedAt: now,
	})
	if err != nil {
		return err
	}
	err = q.CreateProgram(ctx, pool, db.CreateProgramParams{
		WorkspaceID: b.workspace, ID: b.program, Name: "bench", Currency: "EUR", State: "draft", LandingURL: "https://shop.example/welcome",
		AllowedHosts: []string{}, TimeZone: "Europe/Berlin", Timeline: state.Timeline{}, CreatedAt: now,
	})
	for i := range codes {
		b.code[i], b.referrer[i] = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
		_, more := q.CreateParticipant(ctx, pool, db.CreateParticipantParams{
			WorkspaceID: b.workspace, ID: b.referrer[i], ExternalID: fmt.Sprint(i), Metadata: []byte("{}"), GroupTimeline: state.Groups{}, CreatedAt: now,
		})
		value := fmt.Sprintf("BENCH%03d", i)
		_, again := q.CreateCode(ctx, pool, db.CreateCodeParams{
			WorkspaceID: b.workspace, ID: b.code[i], ProgramID: b.program, ParticipantID: b.referrer[i], Value: value, FoldedValue: value,
			Timeline: state.Timeline{}, CreatedAt: now,
		})
		err = errors.Join(err, more, again)
	}
	return err
}

// startEmpty runs an Echo server that answers and does nothing else.
func startEmpty() (stop func(), address string, err error) {
	e := echo.New()
	e.GET("/r/:code", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	s := &http.Server{Handler: e}
	go func() { _ = s.Serve(listener) }()
	return func() { _ = s.Close() }, listener.Addr().String(), nil
}

// followLinks asks the server for links, from another process, and remembers what was acknowledged.
func (b *clickBench) followLinks(address string) func(context.Context, int, time.Duration) (sample, error) {
	return func(ctx context.Context, clients int, span time.Duration) (sample, error) {
		r, err := load(ctx, loadJob{Address: address, Clients: clients, Span: span, Status: "302"})
		b.acknowledged = append(b.acknowledged, r.Clicks...)
		b.anonymous += r.Anonymous
		return r.Sample, err
	}
}

func emptyHandler(address string) func(context.Context, int, time.Duration) (sample, error) {
	return func(ctx context.Context, clients int, span time.Duration) (sample, error) {
		r, err := load(ctx, loadJob{Address: address, Clients: clients, Span: span, Status: "204"})
		return r.Sample, err
	}
}

var clickColumns = []string{
	"workspace_id", "id", "batch_id", "program_id", "code_id", "referrer_id", "classification", "source", "consent", "visitor", "visitor_key",
	"address_hash", "utm", "referrer_host", "day", "occurred_at", "received_at",
}

func (b *clickBench) row(batch uuid.UUID) []any {
	i, now := rand.IntN(codes), time.Now().UTC()
	visitor := clicks.NewVisitor(bytes.Repeat([]byte{7}, 32), now, netip.AddrFrom4([4]byte{10, byte(rand.IntN(256)), byte(rand.IntN(256)), 1}), "agent", "")
	return []any{
		b.elsewhere, uuid.Must(uuid.NewV7()), batch, b.program, b.code[i], b.referrer[i], "human", "redirect", "unknown", visitor.Hash, nil,
		visitor.Address, nil, nil, now.Truncate(24 * time.Hour), now, now,
	}
}

// groupCommits is the limit of writing batches: one connection writes batches of as many rows as there are clients, each with its
// marker, one after the other.
func (b *clickBench) groupCommits(ctx context.Context, n int) ([]work, func(), error) {
	conn, err := pgx.Connect(ctx, b.url)
	if err != nil {
		return nil, nil, err
	}
	write := func() (int, error) {
		return n, pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			batch := uuid.Must(uuid.NewV7())
			rows := make([][]any, n)
			for i := range rows {
				rows[i] = b.row(batch)
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{"clicks"}, clickColumns, pgx.CopyFromRows(rows)); err != nil {
				return err
			}
			return db.New().CreateClickBatch(ctx, tx, db.CreateClickBatchParams{
				WorkspaceID: b.elsewhere, ID: batch, FirstClickID: rows[0][1].(uuid.UUID), LastClickID: rows[n-1][1].(uuid.UUID),
			})
		})
	}
	return []work{write}, func() { _ = conn.Close(context.WithoutCancel(ctx)) }, nil
}

// singleCommits is what clicks cost when each is a transaction of its own, without a marker.
func (b *clickBench) singleCommits(ctx context.Context, n int) ([]work, func(), error) {
	const insert = "INSERT INTO clicks VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
	pool := b.store.DB(b.elsewhere)
	works := make([]work, n)
	for i := range works {
		works[i] = func() (int, error) {
			_, err := pool.Exec(ctx, insert, b.row(uuid.Nil)...)
			return 1, err
		}
	}
	return works, func() {}, nil
}

// fold adds to the statistics what is committed, as the server's worker does, until it is stopped; then it adds the rest.
func (b *clickBench) fold(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		for last := false; ; {
			more, err := clicks.Fold(context.WithoutCancel(ctx), b.store, b.workspace)
			if err != nil || last && !more {
				done <- err
				return
			}
			if !more {
				select {
				case <-ctx.Done():
					last = true // what was committed since
				case <-time.After(time.Second):
				}
			}
		}
	}()
	return func() error { cancel(); return <-done }
}

// check holds the answers and the statistics against the facts.
func (b *clickBench) check(ctx context.Context) error {
	pool := b.store.DB(b.workspace)
	answers := len(b.acknowledged)
	slices.SortFunc(b.acknowledged, func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) })
	b.acknowledged = slices.Compact(b.acknowledged) // a repeat is answered with the click that it repeats
	var found int64
	err := pool.QueryRow(ctx, "SELECT count(DISTINCT id) FROM clicks WHERE workspace_id = $1 AND id = ANY($2)", b.workspace, b.acknowledged).Scan(&found)
	if err != nil {
		return err
	}
	lost := int64(len(b.acknowledged)) - found
	var cells, wrong int64
	err = pool.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE (fact.clicks, fact.human, fact.visitors) IS DISTINCT FROM (stored.clicks, stored.human, stored.visitors))
		FROM (
			SELECT program_id, day, count(*) AS clicks, count(*) FILTER (WHERE classification = 'human') AS human,
				count(DISTINCT visitor) FILTER (WHERE classification = 'human') AS visitors
			FROM clicks WHERE workspace_id = $1 GROUP BY program_id, day
		) AS fact
		FULL JOIN (
			SELECT program_id, day, sum(clicks)::bigint AS clicks, sum(human_clicks)::bigint AS human, sum(unique_visitors)::bigint AS visitors
			FROM program_days WHERE workspace_id = $1 GROUP BY program_id, day
		) AS stored USING (program_id, day)`, b.workspace).Scan(&cells, &wrong)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d answers with an id, %d without one; %d clicks acknowledged, %d of them lost; %d of %d days of statistics wrong\n",
		answers, b.anonymous, len(b.acknowledged), lost, wrong, cells)
	if lost > 0 || wrong > 0 {
		return errors.New("an acknowledged click is lost or a statistic is wrong")
	}
	return nil
}
