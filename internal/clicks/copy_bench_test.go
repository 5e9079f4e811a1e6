package clicks

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// BenchmarkBatch compares ways of committing a batch with its marker. The lane's is the last one.
func BenchmarkBatch(b *testing.B) {
	s := dbtest.DB(b)
	p := newPlace(b, s, placeOptions{})
	marker := func(ctx context.Context, tx *store.Tx, batch *batch) error {
		return db.New().CreateClickBatch(ctx, tx.Write(), db.CreateClickBatchParams{
			WorkspaceID: p.workspace, ID: batch.id, FirstClickID: batch.spans[0].first, LastClickID: batch.spans[0].last,
		})
	}
	inTx := func(write func(context.Context, *pgx.Conn, []db.Click, *batch) error) func([]db.Click, *batch) error {
		return func(clicks []db.Click, batch *batch) error {
			return s.InTx(context.Background(), p.workspace, func(ctx context.Context, tx *store.Tx) error {
				conn, err := tx.Conn(ctx)
				if err != nil {
					return err
				}
				if err := write(ctx, conn, clicks, batch); err != nil {
					return err
				}
				return marker(ctx, tx, batch)
			})
		}
	}
	for _, way := range []struct {
		name  string
		write func([]db.Click, *batch) error
	}{
		{"pgx.CopyFrom in InTx", inTx(func(ctx context.Context, conn *pgx.Conn, clicks []db.Click, _ *batch) error {
			_, err := conn.CopyFrom(ctx, pgx.Identifier{"clicks"}, columns, pgx.CopyFromSlice(len(clicks), func(i int) ([]any, error) {
				c := clicks[i]
				return []any{
					c.WorkspaceID, c.ID, c.BatchID, c.ProgramID, c.CodeID, c.ReferrerID, c.Classification, c.Source, c.Consent, c.Visitor,
					c.VisitorKey, c.AddressHash, c.Utm, c.ReferrerHost, c.Day, c.OccurredAt, c.ReceivedAt,
				}, nil
			}))
			return err
		})},
		{"own rows in InTx", inTx(func(ctx context.Context, conn *pgx.Conn, _ []db.Click, batch *batch) error {
			_, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(append(batch.rows, copyTrailer...)), copyRows)
			return err
		})},
		{"own rows in one round trip", func(_ []db.Click, batch *batch) error {
			return s.Copy(context.Background(), p.workspace, batch.statements(), append(batch.rows, copyTrailer...))
		}},
	} {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				l := &lane{}
				for b.Loop() {
					batch, clicks := l.newBatch(), make([]db.Click, n)
					for i := range clicks {
						clicks[i] = *p.click(b)
						clicks[i].BatchID = batch.id
						batch.rows = appendRow(batch.rows, &clicks[i])
						batch.extend(clicks[i].WorkspaceID, clicks[i].ID)
					}
					if err := way.write(clicks, batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "clicks/s")
			})
		}
	}
}

var columns = []string{
	"workspace_id", "id", "batch_id", "program_id", "code_id", "referrer_id", "classification", "source", "consent", "visitor", "visitor_key",
	"address_hash", "utm", "referrer_host", "day", "occurred_at", "received_at",
}

// BenchmarkFollow is what a click costs besides the wait for its commit.
func BenchmarkFollow(b *testing.B) {
	s := dbtest.DB(b)
	p := newPlace(b, s, placeOptions{})
	c := newClicks(b, s)
	if f := follow(b, c, p.visit(0, "192.0.2.1")); !f.Stored {
		b.Fatalf("%+v", f)
	}
	if err := c.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
	v := p.visit(0, "192.0.2.1")
	b.ReportAllocs()
	c.directories.now = func() time.Time { return time.Unix(0, 0) } // nothing gets old
	c.targets.now = c.directories.now
	for b.Loop() {
		if _, err := c.Follow(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
}
