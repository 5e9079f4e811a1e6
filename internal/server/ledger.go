package server

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
)

// accountPosition is where a page of accounts ends: by participant, currency, kind of reward and kind.
type accountPosition struct {
	ParticipantID              uuid.UUID
	Currency, RewardKind, Kind string
}

// ListLedgerAccounts lists accounts with their balances.
func (h handlers) ListLedgerAccounts(ctx context.Context, req api.ListLedgerAccountsRequestObject) (api.ListLedgerAccountsResponseObject, error) {
	most, after, err := pageFrom[accountPosition](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	p := db.ListAccountsParams{
		WorkspaceID: ws, ParticipantID: req.Params.ParticipantID, Currency: req.Params.Currency,
		RewardKind: filter(req.Params.RewardKind), Kind: filter(req.Params.Kind), PageLimit: most + 1,
	}
	if after != nil {
		p.AfterParticipantID, p.AfterCurrency = &after.ParticipantID, &after.Currency
		p.AfterRewardKind, p.AfterKind = &after.RewardKind, &after.Kind
	}
	rows, err := h.q.ListAccounts(ctx, h.store.DB(ws), p)
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.LedgerAccount) accountPosition {
		return accountPosition{r.ParticipantID, r.Currency, r.RewardKind, r.Kind}
	})
	page := api.LedgerAccountPage{Data: []api.LedgerAccount{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, api.LedgerAccount{
			ParticipantID: r.ParticipantID, Currency: r.Currency, RewardKind: api.RewardKind(r.RewardKind), Kind: api.AccountKind(r.Kind),
			Balance: r.Balance,
		})
	}
	return api.ListLedgerAccounts200JSONResponse{Body: page}, nil
}

// ListTransfers lists transfers, newest first.
func (h handlers) ListTransfers(ctx context.Context, req api.ListTransfersRequestObject) (api.ListTransfersResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListTransfers(ctx, h.store.DB(ws), db.ListTransfersParams{
		WorkspaceID: ws, ParticipantID: req.Params.ParticipantID, RewardID: req.Params.RewardID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.LedgerTransfer) uuid.UUID { return r.ID })
	page := api.TransferPage{Data: []api.Transfer{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, api.Transfer{
			ID: r.ID, ParticipantID: r.ParticipantID, RewardID: orNull(&r.RewardID), Currency: r.Currency,
			RewardKind: api.RewardKind(r.RewardKind), FromKind: api.AccountKind(r.FromKind), ToKind: api.AccountKind(r.ToKind), Amount: r.Amount, Reason: toReason(r.Reason),
			CreatedAt: r.CreatedAt.UTC(),
		})
	}
	return api.ListTransfers200JSONResponse{Body: page}, nil
}

// GetTrialBalance adds up all accounts of the workspace.
func (h handlers) GetTrialBalance(ctx context.Context, _ api.GetTrialBalanceRequestObject) (api.GetTrialBalanceResponseObject, error) {
	ws := h.scope(ctx).Workspace
	rows, err := h.q.GetTrialBalance(ctx, h.store.DB(ws), ws)
	if err != nil {
		return nil, err
	}
	return api.GetTrialBalance200JSONResponse{Body: toTrialBalance(rows)}, nil
}

// toTrialBalance groups sums that are ordered by currency and kind of reward.
func toTrialBalance(rows []db.GetTrialBalanceRow) api.TrialBalance {
	out := api.TrialBalance{Balanced: true, Currencies: []api.TrialBalanceCurrency{}}
	for _, r := range rows {
		n, kind := len(out.Currencies), api.RewardKind(r.RewardKind)
		if n == 0 || out.Currencies[n-1].Currency != r.Currency || out.Currencies[n-1].RewardKind != kind {
			out.Currencies = append(out.Currencies, api.TrialBalanceCurrency{Currency: r.Currency, RewardKind: kind})
			n++
		}
		c := &out.Currencies[n-1]
		c.Total += r.Balance
		c.Accounts = append(c.Accounts, api.TrialBalanceAccount{Kind: api.AccountKind(r.Kind), Balance: r.Balance})
	}
	out.Balanced = !slices.ContainsFunc(out.Currencies, func(c api.TrialBalanceCurrency) bool { return c.Total != 0 })
	return out
}
