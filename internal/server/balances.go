package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// GetParticipantBalances reads what stands for a participant, per currency and kind of reward.
func (h handlers) GetParticipantBalances(ctx context.Context, req api.GetParticipantBalancesRequestObject) (api.GetParticipantBalancesResponseObject, error) {
	ws := h.scope(ctx).Workspace
	if err := h.knowParticipant(ctx, ws, req.ParticipantID); err != nil {
		return nil, err
	}
	rows, err := h.q.ListBalances(ctx, h.store.DB(ws), db.ListBalancesParams{WorkspaceID: ws, ParticipantID: req.ParticipantID})
	if err != nil {
		return nil, err
	}
	return api.GetParticipantBalances200JSONResponse{Body: api.BalanceList{ParticipantID: req.ParticipantID, Data: toBalances(rows)}}, nil
}

// knowParticipant answers not_found for a participant that the workspace does not have.
func (h handlers) knowParticipant(ctx context.Context, ws, id uuid.UUID) error {
	_, err := h.q.GetParticipant(ctx, h.store.DB(ws), db.GetParticipantParams{WorkspaceID: ws, ID: id})
	return store.OrNotFound(err, "the participant")
}

// toBalances groups accounts that are ordered by currency and kind of reward. Where the money comes from is not the participant's.
func toBalances(rows []db.LedgerAccount) []api.Balance {
	out := []api.Balance{}
	for _, r := range rows {
		n, kind := len(out), api.RewardKind(r.RewardKind)
		if n == 0 || out[n-1].Currency != r.Currency || out[n-1].RewardKind != kind {
			out = append(out, api.Balance{Currency: r.Currency, RewardKind: kind})
			n++
		}
		b := &out[n-1]
		switch api.AccountKind(r.Kind) {
		case api.AccountKindPending:
			b.Pending = r.Balance
		case api.AccountKindAvailable:
			b.Available = r.Balance
		case api.AccountKindReserved:
			b.Reserved = r.Balance
		case api.AccountKindCash:
			b.Paid = r.Balance
		case api.AccountKindRedeemed:
			b.Redeemed = r.Balance
		case api.AccountKindBreakage:
			b.Expired = r.Balance
		}
	}
	return out
}

// statementPosition is where a page of a statement ends: after one side of a transfer.
type statementPosition struct {
	TransferID uuid.UUID
	Kind       string
}

// ListStatementEntries lists how each transfer changed the participant's balances, newest first.
func (h handlers) ListStatementEntries(ctx context.Context, req api.ListStatementEntriesRequestObject) (api.ListStatementEntriesResponseObject, error) {
	most, after, err := pageFrom[statementPosition](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	if err := h.knowParticipant(ctx, ws, req.ParticipantID); err != nil {
		return nil, err
	}
	// Each transfer has an entry at least; the transfer at the position has one more that was given already.
	p := db.ListTransfersParams{WorkspaceID: ws, ParticipantID: &req.ParticipantID, PageLimit: most + 2}
	if after != nil {
		p.FromID = &after.TransferID
	}
	rows, err := h.q.ListTransfers(ctx, h.store.DB(ws), p)
	if err != nil {
		return nil, err
	}
	entries, next := nextPage(ctx, entriesAfter(rows, after), most, func(e api.StatementEntry) statementPosition {
		return statementPosition{e.TransferID, string(e.Kind)}
	})
	return api.ListStatementEntries200JSONResponse{Body: api.Statement{Data: entries, NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// entriesAfter turns transfers into entries, from the position on.
func entriesAfter(rows []db.LedgerTransfer, after *statementPosition) []api.StatementEntry {
	out := []api.StatementEntry{}
	for _, r := range rows {
		for _, side := range []struct {
			kind   string
			amount int64
		}{{r.ToKind, r.Amount}, {r.FromKind, -r.Amount}} {
			kind := api.AccountKind(side.kind)
			if kind != api.AccountKindPending && kind != api.AccountKindAvailable && kind != api.AccountKindReserved {
				continue
			}
			out = append(out, api.StatementEntry{
				TransferID: r.ID, Kind: kind, Amount: side.amount, Currency: r.Currency,
				RewardKind: api.RewardKind(r.RewardKind), RewardID: orNull(&r.RewardID), Reason: toReason(r.Reason), At: r.CreatedAt.UTC(),
			})
			if after != nil && *after == (statementPosition{r.ID, side.kind}) {
				out = out[:0]
			}
		}
	}
	return out
}
