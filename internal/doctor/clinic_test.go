package doctor

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// clinic is a database in which a little of everything has happened, by way of the engine.
type clinic struct {
	*dbtest.Database
	engine  *engine.Engine
	scope   engine.Scope
	program uuid.UUID
	codes   map[string]db.Code
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{Database: dbtest.New(t), engine: engine.New(slog.New(slog.DiscardHandler)), codes: map[string]db.Code{}}
	c.openProgram(t)
	for _, name := range []string{"alice", "bob"} {
		c.code(t, name)
	}
	c.click(t, "alice", "visitor one", true)
	c.click(t, "alice", "visitor two", true)
	c.click(t, "bob", "visitor one", false)

	// Ann buys and gets some of it back; Ben buys and leaves; Cid goes to another referrer; Dan joins after he bought; Eve comes
	// through Ann; alice refers herself.
	c.signup(t, "ann", "alice")
	first := c.purchase(t, "ann", "1", 10_000)
	c.refund(t, "1", 3_000)
	c.signup(t, "ben", "bob")
	c.purchase(t, "ben", "2", 5_000)
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.RecordChurn(ctx, tx, c.scope, engine.NewChurn{ProgramID: c.program, RefereeExternalID: "ben", Kind: engine.KindChurn, Source: "api", ExternalID: "gone"})
		return err
	})
	cid := c.signup(t, "cid", "alice")
	c.purchase(t, "cid", "3", 2_000)
	c.reattribute(t, *cid.Decision.ReferralID, "bob")
	c.purchase(t, "dan", "4", 7_000)
	c.signup(t, "dan", "alice")
	c.purchase(t, "nobody yet", "5", 1_000)
	c.refund(t, "6", 10)
	c.code(t, "ann")
	c.signup(t, "eve", "ann")
	c.purchase(t, "eve", "7", 3_333)
	c.signup(t, "alice", "alice")
	c.redeem(t, "ann", 400)
	c.void(t, c.redeem(t, "ann", 600))
	c.hold(t, first)
	if _, err := c.engine.SealEvents(t.Context(), c.Store, c.scope.Workspace); err != nil {
		t.Fatal(err)
	}
	c.handReward(t, "alice", 500)
	c.payOut(t)
	return c
}

func (c *clinic) in(t *testing.T, fn func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := c.Store.InTx(t.Context(), c.scope.Workspace, fn); err != nil {
		t.Fatal(err)
	}
}

func (c *clinic) openProgram(t *testing.T) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	document := rules.Default()
	document.Churn = &rules.Churn{WindowSeconds: 60 * 24 * 3600}
	document.Rewards = []rules.RewardRule{
		{Key: "share", Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money", Amount: rules.Amount{Type: rules.BasisPoints, Value: 2000}, HoldSeconds: 14 * 24 * 3600},
		{Key: "welcome", Triggers: []string{rules.TriggerQualified}, Beneficiary: rules.Referee, Kind: "credit", Amount: rules.Amount{Type: rules.Fixed, Value: 1000}},
	}
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		pair, err := c.engine.CreateWorkspacePair(ctx, tx, now, engine.NewWorkspacePair{Name: "clinic", FirstKey: func(w db.Workspace) db.APIKey {
			return db.APIKey{WorkspaceID: w.WorkspaceID, ID: w.WorkspaceID, Kind: "secret", SecretHash: make([]byte, 32), Scopes: []string{}, CreatedAt: now}
		}})
		c.scope = engine.Scope{Workspace: pair.Live.WorkspaceID, HashKey: pair.Live.HashKey, Now: now, MaxPast: engine.DefaultMaxPast}
		return err
	})
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		p, _, err := c.engine.CreateProgram(ctx, tx, c.scope, engine.NewProgram{
			Name: "clinic", Currency: "EUR", LandingURL: "https://shop.example", TimeZone: "Pacific/Auckland", Rules: &document,
		})
		c.program = p.ID
		return err
	})
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.MoveProgram(ctx, tx, c.scope, c.program, state.ProgramActive)
		return err
	})
}

func (c *clinic) code(t *testing.T, owner string) {
	t.Helper()
	most := int64(10)
	c.in(t, func(ctx context.Context, tx *store.Tx) (err error) {
		c.codes[owner], err = c.engine.CreateCode(ctx, tx, c.scope, c.program, engine.NewCode{ParticipantExternalID: owner, MaxUses: &most})
		return err
	})
}

// click stores a click in a batch of its own, and folds it into the statistics or not.
func (c *clinic) click(t *testing.T, owner, visitor string, fold bool) {
	t.Helper()
	q, id, batch, code := db.New(), dbtest.ID(t), dbtest.ID(t), c.codes[owner]
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		if _, err := q.CreateClick(ctx, tx.DB(), db.CreateClickParams{
			WorkspaceID: c.scope.Workspace, ID: id, BatchID: batch, ProgramID: c.program, CodeID: code.ID, ReferrerID: code.ParticipantID,
			Classification: "human", Source: "api", Consent: "unknown", Visitor: []byte(visitor), Day: c.scope.Now, OccurredAt: c.scope.Now,
			ReceivedAt: c.scope.Now,
		}); err != nil {
			return err
		}
		return q.CreateClickBatch(ctx, tx.Write(), db.CreateClickBatchParams{WorkspaceID: c.scope.Workspace, ID: batch, FirstClickID: id, LastClickID: id})
	})
	if !fold {
		return
	}
	if _, err := clicks.Fold(t.Context(), c.Store, c.scope.Workspace); err != nil {
		t.Fatal(err)
	}
}

func (c *clinic) signup(t *testing.T, who, codeOf string) (out engine.Attributed) {
	t.Helper()
	value := c.codes[codeOf].Value
	c.in(t, func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = c.engine.CreateSignup(ctx, tx, c.scope, engine.NewSignup{ProgramID: c.program, RefereeExternalID: who, ExternalID: who, Code: &value})
		return err
	})
	return out
}

func (c *clinic) purchase(t *testing.T, who, order string, amount int64) (out engine.Converted) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = c.engine.RecordConversion(ctx, tx, c.scope, engine.NewConversion{
			ProgramID: c.program, RefereeExternalID: who, Source: "api", ExternalID: order, Type: "purchase", Amount: amount, Currency: "EUR",
		})
		return err
	})
	return out
}

func (c *clinic) refund(t *testing.T, order string, amount int64) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.RecordReversal(ctx, tx, c.scope, engine.NewReversal{
			Source: "api", ExternalID: "back " + order, ConversionExternalID: order, ConversionType: "purchase", Kind: settlement.Refund, Amount: &amount,
		})
		return err
	})
}

func (c *clinic) reattribute(t *testing.T, referral uuid.UUID, to string) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.ReattributeReferral(ctx, tx, c.scope, referral, engine.Reattribution{ReferrerExternalID: &to})
		return err
	})
}

func (c *clinic) handReward(t *testing.T, to string, amount int64) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, _, err := c.engine.CreateReward(ctx, tx, c.scope, engine.NewReward{
			ProgramID: c.program, ParticipantExternalID: to, ExternalID: "thanks", Amount: amount, Currency: "EUR", Kind: "money",
		})
		return err
	})
}

func (c *clinic) redeem(t *testing.T, who string, amount int64) (out engine.Redemption) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) (err error) {
		out, _, err = c.engine.RedeemCredit(ctx, tx, c.scope, engine.NewRedemption{
			ParticipantExternalID: who, Kind: "credit", Currency: "EUR", Amount: amount, ExternalID: dbtest.ID(t).String(),
		})
		return err
	})
	return out
}

func (c *clinic) void(t *testing.T, of engine.Redemption) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.VoidRedemption(ctx, tx, c.scope, of.ID, "never sent")
		return err
	})
}

// payOut reserves all available money in a run of one payout, which is handed over.
func (c *clinic) payOut(t *testing.T) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, _, _, err := c.engine.SetPayoutPolicy(ctx, tx, c.scope, engine.NewPayoutPolicy{
			Currency: "EUR", Approval: payable.Automatic, Provider: payable.ByHand,
		})
		return err
	})
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.CreatePayoutRun(ctx, tx, c.scope, engine.NewPayoutRun{Currency: "EUR", By: c.scope.Workspace})
		return err
	})
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		rows, err := db.New().ListPayouts(ctx, tx.DB(), db.ListPayoutsParams{WorkspaceID: c.scope.Workspace, PageLimit: 2})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d payouts, %v", len(rows), err)
		}
		_, err = c.engine.SubmitPayout(ctx, tx, c.scope, rows[0].ID)
		return err
	})
}

func (c *clinic) hold(t *testing.T, of engine.Converted) {
	t.Helper()
	c.in(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := c.engine.HoldReward(ctx, tx, c.scope, of.Rewards[0].ID, "look at it")
		return err
	})
}

// all are the checks that a test database can pass: its server does without durability.
func all() []Check {
	var checks []Check
	for _, c := range Checks() {
		if c.Name != "durable" {
			checks = append(checks, c)
		}
	}
	return checks
}

func find(t *testing.T, tx pgx.Tx, name string) []string {
	t.Helper()
	for _, c := range Checks() {
		if c.Name != name {
			continue
		}
		findings, err := c.find(t.Context(), tx)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return findings
	}
	t.Fatalf("there is no check %s", name)
	return nil
}
