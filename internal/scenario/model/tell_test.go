package model

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// tell lets one fact arrive.
func (w *workspace) tell(ctx context.Context, tx *store.Tx, f fact) error {
	at := w.life.began.Add(f.at)
	switch f.kind {
	case "click":
		id := w.id(f.ref)
		out, err := w.e.RecordClicks(ctx, tx, w.scope, engine.Reports{Source: "api", Clicks: []engine.NewClick{{
			ID: &id, Code: w.codes[f.code], Classification: "human", Consent: "unknown", OccurredAt: &at, Utm: []byte("{}"),
			Hash: func(id uuid.UUID, _ time.Time) ([]byte, []byte) { return id[:], id[:] },
		}}})
		if err == nil {
			err = out[0].Problem
		}
		return err
	case "signup":
		n := engine.NewSignup{ProgramID: w.program, RefereeExternalID: w.my(f.who), ExternalID: w.my(f.ref), OccurredAt: &at}
		if f.code != "" {
			code := w.codes[f.code]
			n.Code = &code
		}
		for _, ref := range f.clicks {
			n.ClickIDs = append(n.ClickIDs, w.id(ref))
		}
		_, err := w.e.CreateSignup(ctx, tx, w.scope, n)
		return err
	case "conversion":
		_, err := w.e.RecordConversion(ctx, tx, w.scope, engine.NewConversion{
			ProgramID: w.program, RefereeExternalID: w.my(f.who), Source: "shop", ExternalID: w.my(f.ref), Type: f.sort, Amount: f.amount,
			Currency: cmp.Or(f.currency, "USD"), OccurredAt: &at,
		})
		return err
	case "rate":
		_, _, err := w.e.RecordExchangeRate(ctx, tx, w.scope, engine.NewExchangeRate{
			From: f.ref, To: "USD", Rate: rates[f.ref].text, Source: "model", EffectiveAt: &at,
		})
		return err
	case "reversal":
		return w.undo(ctx, tx, f, at)
	}
	kind := engine.KindReactivation
	if f.kind == "churn" {
		kind = engine.KindChurn
	}
	_, err := w.e.RecordChurn(ctx, tx, w.scope, engine.NewChurn{
		ProgramID: w.program, RefereeExternalID: w.my(f.who), Kind: kind, Source: "shop", ExternalID: w.my(f.ref), OccurredAt: &at,
	})
	return err
}

func (w *workspace) undo(ctx context.Context, tx *store.Tx, f fact, at time.Time) error {
	if f.restores != "" {
		_, err := w.e.WinDispute(ctx, tx, w.scope, w.ids[f.restores], w.my(f.ref), &at)
		return err
	}
	n := engine.NewReversal{
		Source: "shop", ExternalID: w.my(f.ref), ConversionExternalID: w.my(f.of), ConversionType: f.sort, Kind: f.undo, OccurredAt: &at,
	}
	if f.asks > 0 {
		n.Amount = &f.asks
	}
	out, err := w.e.RecordReversal(ctx, tx, w.scope, n)
	w.ids[f.ref] = out.Reversal.ID
	return err
}

// id is that of a click, which its signup may name before it is stored.
func (w *workspace) id(ref string) uuid.UUID {
	if _, ok := w.ids[ref]; !ok {
		w.ids[ref] = uuid.Must(uuid.NewV7())
	}
	return w.ids[ref]
}

// read says what became of the life, as the model tells it.
func (w *workspace) read() map[string]string {
	out := map[string]string{}
	for _, sql := range []string{
		`SELECT 'referral of ' || b.external_id, r.state || ' by ' || p.external_id FROM referrals r
			JOIN participants p ON p.workspace_id = r.workspace_id AND p.id = r.referrer_id
			JOIN participants b ON b.workspace_id = r.workspace_id AND b.id = r.referee_id
			WHERE r.program_id = $1 ORDER BY r.id`,
		`SELECT external_id, concat_ws(' ', state, reason, amount - reversed_amount) FROM conversions WHERE program_id = $1`,
		`SELECT concat_ws(' ', p.external_id, a.reward_kind, a.kind), a.balance::text FROM ledger_accounts a
			JOIN participants p ON p.workspace_id = a.workspace_id AND p.id = a.participant_id
			WHERE a.kind IN ('pending', 'available', 'reserved') AND a.balance <> 0
			AND EXISTS (SELECT FROM rewards w WHERE w.participant_id = p.id AND w.program_id = $1)`,
	} {
		w.list(out, sql)
	}
	return out
}

// list reads lines about the program: what is asked, and what it is.
func (w *workspace) list(out map[string]string, sql string) {
	rows, err := w.st.DB(w.scope.Workspace).Query(context.Background(), sql, w.program)
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var what, is string
		if err := rows.Scan(&what, &is); err != nil {
			w.t.Fatal(err)
		}
		what, is = strings.ReplaceAll(what, "-"+w.name, ""), strings.TrimSuffix(is, "-"+w.name)
		if was, twice := out[what]; twice && !strings.HasPrefix(what, "referral") {
			is = fmt.Sprint(was, " and ", is)
		}
		out[what] = is
	}
	if rows.Err() != nil {
		w.t.Fatal(rows.Err())
	}
}
