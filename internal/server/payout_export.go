package server

import (
	"cmp"
	"context"
	"encoding/csv"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// exportPage is how many payouts of an export are in memory at once.
const exportPage = 500

// ExportPayoutRun writes the payouts of a run as CSV, page by page, so that a large run needs no more memory than a small one.
func (h handlers) ExportPayoutRun(ctx context.Context, req api.ExportPayoutRunRequestObject) (api.ExportPayoutRunResponseObject, error) {
	ws := h.scope(ctx).Workspace
	if _, err := h.q.GetPayoutRun(ctx, h.store.DB(ws), db.GetPayoutRunParams{WorkspaceID: ws, ID: req.PayoutRunID}); err != nil {
		return nil, store.OrNotFound(err, "the payout run")
	}
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) }) // whoever reads has gone
	go func() {
		_ = in.CloseWithError(h.writePayouts(ctx, in, ws, req.PayoutRunID))
	}()
	return api.ExportPayoutRun200TextCsvResponse{Body: out}, nil
}

func (h handlers) writePayouts(ctx context.Context, to io.Writer, ws, run uuid.UUID) error {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	err := w.Write([]string{
		"payout_id", "participant_id", "participant_external_id", "currency", "amount", "state", "provider_key", "provider_reference", "created_at",
	})
	for after := uuid.Nil; err == nil; {
		rows, readErr := h.q.ListPayoutsForExport(ctx, h.store.DB(ws), db.ListPayoutsForExportParams{
			WorkspaceID: ws, RunID: run, After: after, PageLimit: exportPage,
		})
		if readErr != nil || len(rows) == 0 {
			w.Flush()
			return cmp.Or(readErr, w.Error())
		}
		for _, r := range rows {
			p := r.Payout
			after = p.ID
			if err = w.Write(harmless(
				p.ID.String(), p.ParticipantID.String(), r.ExternalID, p.Currency, money.Decimal(p.Amount, p.Currency), string(p.State),
				orDefault(p.ProviderKey, ""), orDefault(p.ProviderReference, ""), p.CreatedAt.UTC().Format(time.RFC3339Nano),
			)); err != nil {
				break
			}
		}
	}
	return err
}

// harmless puts an apostrophe before every cell that a spreadsheet would take for a formula.
func harmless(cells ...string) []string {
	for i, c := range cells {
		if strings.IndexAny(c, "=+-@\t\r\n") == 0 || strings.HasPrefix(c, "＝") || strings.HasPrefix(c, "＋") || strings.HasPrefix(c, "－") || strings.HasPrefix(c, "＠") {
			cells[i] = "'" + c
		}
	}
	return cells
}
