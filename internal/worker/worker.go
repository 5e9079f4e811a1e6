package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const (
	interval = time.Second
	// keepKeys is how long an Idempotency-Key is remembered, as the contract says.
	keepKeys = 7 * 24 * time.Hour
	// keyBatch is how many keys one statement deletes: few enough to be done long before the statement timeout.
	keyBatch = 5000
	// How often things are done that need not be done every second.
	keyInterval     = time.Minute
	retryInterval   = time.Minute
	analyzeInterval = 5 * time.Second
)

// Options are what a worker works with. Now and Ticks are for tests.
type Options struct {
	Store  *store.Store
	Engine *engine.Engine
	Log    *slog.Logger

	KeepClicks time.Duration // how long clicks are kept; 0: for ever
	MaxFactAge time.Duration // how far back a fact may claim to have occurred

	Now   func() time.Time // nil: time.Now
	Ticks <-chan time.Time // begins a turn; nil: every second
}

// Worker does background work.
type Worker struct {
	store   *store.Store
	engine  *engine.Engine
	q       *db.Queries
	log     *slog.Logger
	now     func() time.Time
	ticks   <-chan time.Time
	metrics *metrics

	keepClicks, maxFactAge time.Duration
	nextKeys, nextAnalyze  time.Time
	tasks                  map[string]hourly
}

// hourly is when a task is done next, and since when it has failed.
type hourly struct{ next, missed time.Time }

// New makes a worker; Run starts it.
func New(o Options) *Worker {
	w := &Worker{
		store: o.Store, engine: o.Engine, q: db.New(), log: o.Log, now: o.Now, ticks: o.Ticks, keepClicks: o.KeepClicks,
		maxFactAge: o.MaxFactAge, tasks: map[string]hourly{},
	}
	if w.now == nil {
		w.now = time.Now
	}
	if w.ticks == nil {
		w.ticks = time.Tick(interval) // a turn that takes longer swallows ticks
	}
	w.metrics = newMetrics(w.now)
	return w
}

// Metrics gives what the worker counts.
func (w *Worker) Metrics() []prometheus.Collector { return w.metrics.collectors() }

// Run works until the context ends. What is being committed then is committed.
func (w *Worker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		w.turn(ctx)
		select {
		case <-ctx.Done():
		case <-w.ticks:
		}
	}
}

// turn does everything that is due, and tells what it left.
func (w *Worker) turn(ctx context.Context) {
	began := w.now()
	ages := map[string]time.Duration{}
	workspaces, err := w.q.ListAllWorkspaces(ctx, w.store.DB(uuid.Nil))
	complete := w.noted(ctx, "list_workspaces", uuid.Nil, err)
	keysDue := complete && !began.Before(w.nextKeys)
	if complete {
		w.upkeep(ctx, began, ages)
	}
	if keysDue {
		// Workspace administration keeps its keys in a workspace that is not on the list.
		complete = w.do(ctx, "forget_keys", engine.OperatorWorkspace, w.forgetKeys(engine.OperatorWorkspace, began)) && complete
		w.nextKeys = began.Add(keyInterval)
	}
	measured := err == nil
	for _, row := range workspaces {
		id := row.WorkspaceID
		complete = w.do(ctx, "due", id, func(ctx context.Context) error { return w.runDue(ctx, row) }) && complete
		complete = w.do(ctx, "fold_clicks", id, func(ctx context.Context) error { return w.fold(ctx, id) }) && complete
		if keysDue {
			complete = w.do(ctx, "forget_keys", id, w.forgetKeys(id, began)) && complete
		}
		measured = w.do(ctx, "measure", id, func(ctx context.Context) error { return w.measure(ctx, row, ages) }) && measured
		if ctx.Err() != nil {
			return
		}
	}
	if measured { // what could not be seen is no less than it was
		w.metrics.left(ages)
	}
	w.metrics.turned(began, complete)
}

// upkeep does what concerns the whole database.
func (w *Worker) upkeep(ctx context.Context, began time.Time, ages map[string]time.Duration) {
	w.hourly(ctx, "partitions", began, ages, func(ctx context.Context) error { return w.store.EnsurePartitions(ctx, began) })
	if w.keepClicks > 0 {
		w.hourly(ctx, "drop_clicks", began, ages, func(ctx context.Context) error {
			n, err := w.store.DropClicks(ctx, began.Add(-w.keepClicks), began, w.maxFactAge)
			w.metrics.did("drop_clicks", n)
			return err
		})
	}
	if !began.Before(w.nextAnalyze) {
		w.nextAnalyze = began.Add(analyzeInterval)
		w.do(ctx, "analyze", uuid.Nil, func(ctx context.Context) error {
			n, err := w.store.AnalyzeNew(ctx)
			w.metrics.did("analyze", n)
			return err
		})
	}
}

// hourly does a task once an hour, and sooner after it failed. Its age is for how long it has failed.
func (w *Worker) hourly(ctx context.Context, task string, began time.Time, ages map[string]time.Duration, fn func(context.Context) error) {
	t := w.tasks[task]
	if !began.Before(t.next) {
		if w.do(ctx, task, uuid.Nil, fn) {
			t = hourly{next: began.Add(time.Hour)}
		} else if t.next = began.Add(retryInterval); t.missed.IsZero() {
			t.missed = began
		}
		w.tasks[task] = t
	}
	if !t.missed.IsZero() {
		ages[task] = began.Sub(t.missed)
	}
}

// measure finds what is still due in a workspace. Keys are due when they are past their time for longer than a round takes to come.
func (w *Worker) measure(ctx context.Context, row db.Workspace, ages map[string]time.Duration) error {
	now := w.now()
	clock := engine.ScopeOf(row, now).Now
	due, err := w.q.ListDueWork(ctx, w.store.DB(row.WorkspaceID), db.ListDueWorkParams{
		WorkspaceID: row.WorkspaceID, Now: clock, ForgetBefore: now.Add(-keepKeys - keyInterval).UTC(),
	})
	for _, d := range due {
		age := now.Sub(d.Since)
		switch {
		case d.ByClock:
			age = clock.Sub(d.Since)
		case d.Task == "forget_keys":
			age -= keepKeys
		}
		ages[d.Task] = max(ages[d.Task], age)
	}
	return err
}

// do runs a task of the turn and says whether it worked.
func (w *Worker) do(ctx context.Context, task string, workspace uuid.UUID, fn func(context.Context) error) bool {
	if ctx.Err() != nil {
		return false
	}
	return w.noted(ctx, task, workspace, sheltered(ctx, fn))
}

// sheltered turns a panic into an error: one workspace's data must not end the process, and every process after it.
func sheltered(ctx context.Context, fn func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T\n%s", v, debug.Stack()) // the value may hold personal data
		}
	}()
	return fn(ctx)
}

// noted logs and counts a failure, unless it comes from being stopped.
func (w *Worker) noted(ctx context.Context, task string, workspace uuid.UUID, err error) bool {
	if err == nil || ctx.Err() != nil {
		return err == nil
	}
	w.metrics.failed(task)
	attrs := []slog.Attr{slog.String("task", task), slog.String("error", store.LogText(err))}
	if workspace != uuid.Nil {
		attrs = append(attrs, slog.String("workspace_id", workspace.String()))
	}
	level := slog.LevelError
	if errors.Is(err, problem.Unavailable) {
		level = slog.LevelWarn // known already, and it goes by itself
	}
	w.log.LogAttrs(ctx, level, "background work failed and is tried again", attrs...)
	return false
}

// runDue does what is due by the workspace's clock.
func (w *Worker) runDue(ctx context.Context, row db.Workspace) error {
	done, err := w.engine.RunDue(ctx, w.store, engine.ScopeOf(row, w.now()))
	w.metrics.did("resettle", done.Resettled)
	w.metrics.did("mature", done.Matured)
	w.metrics.did("expire_rewards", done.Lapsed)
	w.metrics.did("expire", done.Expired)
	w.metrics.did("payouts", done.Payouts)
	w.metrics.did("price", done.Priced)
	w.metrics.did("close_periods", done.Rated)
	w.metrics.did("erase", done.Erased)
	w.metrics.did("seal", done.Sealed)
	return err
}

func (w *Worker) fold(ctx context.Context, workspace uuid.UUID) error {
	more, err := w.q.HasClicksToFold(ctx, w.store.DB(workspace), workspace) // spares most workspaces the transaction and the lock
	for more && err == nil {
		more, err = clicks.Fold(ctx, w.store, workspace)
	}
	return err
}

func (w *Worker) forgetKeys(workspace uuid.UUID, now time.Time) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			n, err := w.q.DeleteOldIdempotencyKeys(ctx, w.store.DB(workspace), db.DeleteOldIdempotencyKeysParams{
				WorkspaceID: workspace, Before: now.Add(-keepKeys).UTC(), RowLimit: keyBatch,
			})
			w.metrics.did("forget_keys", int(n))
			if err != nil || n < keyBatch {
				return err
			}
		}
	}
}
