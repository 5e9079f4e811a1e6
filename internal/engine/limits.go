package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// limitKey names a row of reward_limits.
type limitKey struct {
	program, participant uuid.UUID
	name                 string
	period               time.Time
}

// limitProgress names the row that those lock who decide by what a participant has reached.
const limitProgress = "progress"

// text is how a reward remembers the limit, with its own program and participant.
func (k limitKey) text() string { return k.name + "/" + k.period.Format(time.DateOnly) }

// limitOf is the limit that a reward remembers.
func limitOf(w db.Reward, text string) limitKey {
	at := strings.LastIndexByte(text, '/')
	period, _ := time.Parse(time.DateOnly, text[at+1:]) // written by text
	k := limitKey{program: w.ProgramID, participant: w.ParticipantID, name: text[:at], period: period}
	if strings.HasPrefix(text, settlement.BoundBudget) {
		k.participant = uuid.Nil
	}
	return k
}

// bound is a limit that a due falls under, with the most that its rules allow.
type bound struct {
	key  limitKey
	most int64
}

// boundsOf are the cap of a due's rule and the budget of its version.
func (h *history) boundsOf(doc rules.Document, due settlement.Due) []bound {
	var out []bound
	for _, b := range settlement.Bounds(doc, due, h.zone) {
		k := limitKey{program: h.program.ID, name: b.Name, period: b.Start}
		if b.ParticipantID != "" {
			k.participant = uuid.MustParse(b.ParticipantID)
		}
		out = append(out, bound{k, b.Most})
	}
	return out
}

// boundsOnRecord locks the limits that a reward counts against, which may be those of a period that is over, with the most that they have
// ever allowed.
func (r *recorder) boundsOnRecord(ctx context.Context, w db.Reward) ([]bound, error) {
	wanted := map[limitKey]int64{}
	for _, text := range w.Limits {
		wanted[limitOf(w, text)] = 0
	}
	err := r.lockLimits(ctx, wanted)
	var out []bound
	for k := range wanted {
		out = append(out, bound{k, r.limits[k].Ceiling})
	}
	return out, err
}

// lockLimits makes the rows of limits and locks them until the end, in one order for all transactions. Those that this transaction has
// locked already stay as they are.
func (r *recorder) lockLimits(ctx context.Context, wanted map[limitKey]int64, also ...load) error {
	keys := make([]limitKey, 0, len(wanted))
	for k := range wanted {
		if _, locked := r.limits[k]; !locked {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compareLimits)
	var loads []load
	for len(keys) > 0 {
		n := slices.IndexFunc(keys, func(k limitKey) bool { return k.program != keys[0].program })
		if n < 0 {
			n = len(keys)
		}
		p := db.LockLimitsParams{WorkspaceID: r.s.Workspace, ProgramID: keys[0].program}
		for _, k := range keys[:n] {
			p.ParticipantIds = append(p.ParticipantIds, k.participant)
			p.Names = append(p.Names, k.name)
			p.Periods = append(p.Periods, k.period)
			p.Ceilings = append(p.Ceilings, wanted[k])
		}
		loads = append(loads, func(tx store.DBTX) error {
			rows, err := r.e.q.LockLimits(ctx, tx, p)
			for _, row := range rows {
				r.limits[limitKey{row.ProgramID, row.ParticipantID, row.Name, row.Period.UTC()}] = row
			}
			return err
		})
		keys = keys[n:]
	}
	return r.tx.Load(ctx, append(loads, also...)...)
}

func compareLimits(a, b limitKey) int {
	return cmp.Or(
		bytes.Compare(a.program[:], b.program[:]), bytes.Compare(a.participant[:], b.participant[:]),
		cmp.Compare(a.name, b.name), a.period.Compare(b.period),
	)
}

// headroom is how much of an amount the bounds let through, and why not all of it.
func (r *recorder) headroom(bounds []bound, amount int64) (granted int64, why reason.Code) {
	granted = amount
	for _, b := range bounds {
		left := max(0, b.most-r.limits[b.key].Used-r.used[b.key])
		if left >= granted {
			continue
		}
		granted = left
		switch {
		case strings.HasPrefix(b.key.name, settlement.BoundBudget):
			why = reason.BudgetExhausted
		case left == 0:
			why = reason.CapReached
		default:
			why = reason.CapPartial
		}
	}
	return granted, why
}

// use counts what a reward has more, or less, against its limits.
func (r *recorder) use(w db.Reward, amount int64) {
	if amount == 0 {
		return
	}
	for _, text := range w.Limits {
		r.used[limitOf(w, text)] += amount
	}
}

// flushLimits writes what was used.
func (r *recorder) flushLimits(ctx context.Context) error {
	keys := make([]limitKey, 0, len(r.used))
	for k, amount := range r.used {
		if amount != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compareLimits)
	for len(keys) > 0 {
		p := db.UseLimitsParams{WorkspaceID: r.s.Workspace, ProgramID: keys[0].program}
		rest := keys
		for len(rest) > 0 && rest[0].program == p.ProgramID {
			k := rest[0]
			p.ParticipantIds = append(p.ParticipantIds, k.participant)
			p.Names = append(p.Names, k.name)
			p.Periods = append(p.Periods, k.period)
			p.Amounts = append(p.Amounts, r.used[k])
			rest = rest[1:]
		}
		if err := r.e.q.UseLimits(ctx, r.tx.Write(), p); err != nil {
			return err
		}
		keys = rest
	}
	return nil
}
