package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// act says whether a fact is something that somebody does now.
func (f fact) act() bool {
	return !slices.Contains([]string{"click", "signup", "conversion", "reversal", "churn", "return", "rate"}, f.kind)
}

// act does something, if there is anything to do it with.
func (w *workspace) act(f fact, now time.Duration) {
	of := len(w.payouts)
	if f.kind == "void" {
		of = len(w.spent)
	}
	if of == 0 && f.kind != "run" && f.kind != "redeem" {
		return
	}
	err := w.in(now, func(ctx context.Context, tx *store.Tx) error { return w.do(ctx, tx, f) })
	w.heard = append(w.heard, heard{f, now, err != nil})
	if f.kind == "run" {
		w.payouts = w.listPayouts()
	}
}

func (w *workspace) do(ctx context.Context, tx *store.Tx, f fact) error {
	s := w.scope
	switch f.kind {
	case "run":
		_, err := w.e.CreatePayoutRun(ctx, tx, s, engine.NewPayoutRun{Currency: "USD", By: s.Workspace})
		return err
	case "redeem":
		out, _, err := w.e.RedeemCredit(ctx, tx, s, engine.NewRedemption{
			ParticipantExternalID: w.my(f.who), Kind: f.sort, Currency: map[string]string{"credit": "USD", "points": "XXX"}[f.sort], Amount: f.asks,
			ExternalID: f.ref,
		})
		if err == nil {
			w.spent = append(w.spent, out.ID)
		}
		return err
	case "void":
		_, err := w.e.VoidRedemption(ctx, tx, s, w.spent[f.asks%int64(len(w.spent))], "back")
		return err
	}
	return w.handle(ctx, tx, f, w.payouts[f.asks%int64(len(w.payouts))])
}

// handle takes a payout along an arrow.
func (w *workspace) handle(ctx context.Context, tx *store.Tx, f fact, id uuid.UUID) (err error) {
	switch f.kind {
	case "approve":
		_, err = w.e.ApprovePayout(ctx, tx, w.scope, id, w.scope.Workspace)
	case "submit":
		_, err = w.e.SubmitPayout(ctx, tx, w.scope, id)
	case "cancel":
		_, err = w.e.CancelPayout(ctx, tx, w.scope, id, f.ref)
	case "pay":
		_, err = w.e.MarkPayoutPaid(ctx, tx, w.scope, id, f.ref, nil)
	case "fail":
		_, err = w.e.FailPayout(ctx, tx, w.scope, id, f.ref, nil)
	case "bounce":
		_, err = w.e.ReturnPayout(ctx, tx, w.scope, id, f.ref, nil)
	case "retry":
		_, err = w.e.RetryPayout(ctx, tx, w.scope, id)
	case "late":
		first := id.String() + "_1"
		_, err = w.e.MarkPayoutPaid(ctx, tx, w.scope, id, f.ref, &first)
	default:
		w.t.Fatalf("nobody knows how to %s", f.kind)
	}
	return err
}

// listPayouts lists the payouts of all runs, as the model does.
func (w *workspace) listPayouts() (out []uuid.UUID) {
	rows, err := w.st.DB(w.scope.Workspace).Query(context.Background(), `SELECT o.id FROM payouts o
		JOIN payout_runs r ON r.workspace_id = o.workspace_id AND r.id = o.run_id
		JOIN participants p ON p.workspace_id = o.workspace_id AND p.id = o.participant_id
		WHERE o.workspace_id = $1 ORDER BY r.id, p.external_id`, w.scope.Workspace)
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, id)
	}
	if rows.Err() != nil {
		w.t.Fatal(rows.Err())
	}
	return out
}

// readBook reads what is paid for what, in the words of the model.
func (w *workspace) readBook(out map[string]string) {
	w.list(out, `SELECT concat_ws(' ', p.external_id, w.rule_key, coalesce(c.external_id, 'signup of ' || b.external_id)),
		concat_ws(' ', w.state, w.granted - w.reversed, 'of', w.granted, 'capped', w.capped, 'redeemed', w.redeemed, w.reason) FROM rewards w
		JOIN participants p ON p.workspace_id = w.workspace_id AND p.id = w.participant_id
		JOIN referrals r ON r.workspace_id = w.workspace_id AND r.id = w.referral_id
		JOIN participants b ON b.workspace_id = r.workspace_id AND b.id = r.referee_id
		LEFT JOIN conversions c ON c.workspace_id = w.workspace_id AND c.id = w.conversion_id
		WHERE w.program_id = $1 AND w.granted > 0`)
	for i, id := range w.payouts {
		w.list(out, fmt.Sprintf(`SELECT 'payout %d to ' || p.external_id, concat_ws(' ', o.state, o.amount, 'by attempt', o.attempt) FROM payouts o
			JOIN participants p ON p.workspace_id = o.workspace_id AND p.id = o.participant_id
			WHERE $1::uuid IS NOT NULL AND o.id = '%s'`, i, id))
	}
}
