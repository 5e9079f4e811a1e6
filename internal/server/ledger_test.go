package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// statement reads a whole statement, in pages of a size.
func (p *play) statement(participant uuid.UUID, size int64) []client.StatementEntry {
	p.w.Helper()
	var out []client.StatementEntry
	for e, err := range client.All(func(cursor *string) ([]client.StatementEntry, nullableText, error) {
		page, err := p.ListStatementEntriesWithResponse(p.w.Context(), participant, &client.ListStatementEntriesParams{Limit: &size, Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		if n := len(page.JSON200.Data); n > int(size) || page.JSON200.HasMore && n < int(size) {
			p.w.Errorf("a page of %d has %d entries", size, n)
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			p.w.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func (p *play) balance(participant uuid.UUID) client.Balance {
	p.w.Helper()
	list := must[*client.GetParticipantBalancesResult](p.w)(p.GetParticipantBalancesWithResponse(p.w.Context(), participant)).JSON200
	if len(list.Data) != 1 || list.ParticipantID != participant {
		p.w.Fatalf("balances %+v", list)
	}
	return list.Data[0]
}

// earned is a play in which Bob came through Alice, bought for 100 dollars, got 40 back, and the holds are over; then he bought again.
func earned(t *testing.T) *play {
	t.Helper()
	p := startPlay(t, nil)
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	p.buy("bob", "order-1", 10_000, nil)
	p.refund("order-1", "refund-1", 4_000)
	p.moveClock(time.Now().AddDate(0, 0, 15))
	p.buy("bob", "order-2", 5_000, nil)
	return p
}

func TestBalancesAndStatementTellTheSame(t *testing.T) {
	t.Parallel()
	p := earned(t)
	bob := p.participant("bob").ID
	if got := p.balance(p.alice.ParticipantID); got != (client.Balance{Currency: "USD", RewardKind: "money", Pending: 1_000, Available: 1_200}) {
		t.Errorf("Alice has %+v", got)
	}
	if got := p.balance(bob); got != (client.Balance{Currency: "USD", RewardKind: "credit", Available: 1_000}) {
		t.Errorf("Bob has %+v", got)
	}
	whole := p.statement(p.alice.ParticipantID, 200)
	told := ""
	sums := map[client.AccountKind]int64{}
	for _, e := range whole {
		told += fmt.Sprintf("%s %d %s; ", e.Kind, e.Amount, e.Reason)
		sums[e.Kind] += e.Amount
	}
	want := "pending 1000 GRANTED; available 1200 REVERSED_REFUND; pending -1200 REVERSED_REFUND; pending -800 REVERSED_REFUND; pending 2000 GRANTED; "
	if told != want {
		t.Errorf("the statement is %q, want %q", told, want)
	}
	if sums["pending"] != 1_000 || sums["available"] != 1_200 {
		t.Errorf("the statement adds up to %v", sums)
	}
	for size := range int64(5) {
		if got := p.statement(p.alice.ParticipantID, size+1); fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Errorf("in pages of %d: %v", size+1, got)
		}
	}
	nobody := must[*client.GetParticipantBalancesResult](t)(p.GetParticipantBalancesWithResponse(t.Context(), p.carol.ParticipantID)).JSON200
	if len(nobody.Data) != 0 || len(p.statement(p.carol.ParticipantID, 10)) != 0 {
		t.Errorf("Carol has %+v", nobody)
	}
}

func TestTheBooksOfTheWorkspace(t *testing.T) {
	t.Parallel()
	p := earned(t)
	bob, alice := p.participant("bob").ID, p.alice.ParticipantID
	trial := must[*client.GetTrialBalanceResult](t)(p.GetTrialBalanceWithResponse(t.Context())).JSON200
	if got := fmt.Sprint(*trial); got != fmt.Sprint(client.TrialBalance{Balanced: true, Currencies: []client.TrialBalanceCurrency{{
		Currency: "USD", RewardKind: "credit",
		Accounts: []client.TrialBalanceAccount{{Balance: 1_000, Kind: "available"}, {Balance: -1_000, Kind: "expense"}, {Balance: 0, Kind: "pending"}},
	}, {
		Currency: "USD", RewardKind: "money",
		Accounts: []client.TrialBalanceAccount{{Balance: 1_200, Kind: "available"}, {Balance: -2_200, Kind: "expense"}, {Balance: 1_000, Kind: "pending"}},
	}}}) {
		t.Errorf("the trial balance is %s", got)
	}
	accounts := func(params client.ListLedgerAccountsParams) (told []string) {
		for a, err := range client.All(func(cursor *string) ([]client.LedgerAccount, nullableText, error) {
			params.Cursor = cursor
			page, err := p.ListLedgerAccountsWithResponse(t.Context(), &params)
			if err != nil {
				return nil, nil, err
			}
			return page.JSON200.Data, page.JSON200.NextCursor, nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
			who := map[uuid.UUID]string{alice: "alice", bob: "bob"}[a.ParticipantID]
			told = append(told, fmt.Sprintf("%s %s %s %s %d", who, a.Currency, a.RewardKind, a.Kind, a.Balance))
		}
		return told
	}
	all := "[alice USD money available 1200 alice USD money expense -2200 alice USD money pending 1000 " +
		"bob USD credit available 1000 bob USD credit expense -1000 bob USD credit pending 0]"
	for size := range int64(4) {
		if got := fmt.Sprint(accounts(client.ListLedgerAccountsParams{Limit: ptr(size + 1)})); got != all {
			t.Errorf("accounts in pages of %d: %s", size+1, got)
		}
	}
	if got := fmt.Sprint(accounts(client.ListLedgerAccountsParams{
		Kind: ptr(client.AccountKindAvailable), Currency: ptr("USD"), RewardKind: ptr(client.RewardKindCredit),
	})); got != "[bob USD credit available 1000]" {
		t.Errorf("filtered accounts: %s", got)
	}
	transfers := must[*client.ListTransfersResult](t)(p.ListTransfersWithResponse(t.Context(), &client.ListTransfersParams{ParticipantID: &bob})).JSON200.Data
	if len(transfers) != 2 || transfers[0].FromKind != "pending" || transfers[0].ToKind != "available" || transfers[1].FromKind != "expense" || transfers[1].Amount != 1_000 {
		t.Errorf("Bob's transfers: %+v", transfers)
	}
	reward := transfers[0].RewardID.MustGet()
	of := must[*client.ListTransfersResult](t)(p.ListTransfersWithResponse(t.Context(), &client.ListTransfersParams{RewardID: &reward, Limit: ptr[int64](1)})).JSON200
	if len(of.Data) != 1 || of.Data[0].ID != transfers[0].ID || !of.HasMore {
		t.Errorf("the transfers of one reward: %+v", of)
	}
}

func TestTheBooksOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	p := earned(t)
	live := p.w.live()
	alice := p.alice.ParticipantID
	refused[*client.GetParticipantBalancesResult](t, "not_found", "")(live.GetParticipantBalancesWithResponse(t.Context(), alice))
	refused[*client.ListStatementEntriesResult](t, "not_found", "")(live.ListStatementEntriesWithResponse(t.Context(), alice, &client.ListStatementEntriesParams{}))
	if page := must[*client.ListTransfersResult](t)(live.ListTransfersWithResponse(t.Context(), &client.ListTransfersParams{ParticipantID: &alice})); len(page.JSON200.Data) != 0 {
		t.Errorf("foreign transfers: %s", page.Body)
	}
	if page := must[*client.ListLedgerAccountsResult](t)(live.ListLedgerAccountsWithResponse(t.Context(), &client.ListLedgerAccountsParams{})); len(page.JSON200.Data) != 0 {
		t.Errorf("foreign accounts: %s", page.Body)
	}
	if trial := must[*client.GetTrialBalanceResult](t)(live.GetTrialBalanceWithResponse(t.Context())).JSON200; !trial.Balanced || len(trial.Currencies) != 0 {
		t.Errorf("foreign sums: %+v", trial)
	}
	page := must[*client.ListStatementEntriesResult](t)(p.ListStatementEntriesWithResponse(t.Context(), alice, &client.ListStatementEntriesParams{Limit: ptr[int64](1)}))
	cursor := page.JSON200.NextCursor.MustGet()
	refused[*client.ListStatementEntriesResult](t, "malformed_request", "")(p.ListStatementEntriesWithResponse(t.Context(), p.carol.ParticipantID, &client.ListStatementEntriesParams{Cursor: &cursor}))
}
