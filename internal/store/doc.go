// Package store is the way to the database: the pool, transactions, migrations, roles, partitions, and SQLSTATEs as problems.
//
// # Roles
//
// The owner migrates and makes partitions; requests are worked on in the role grapevine_app, which owns nothing. When both share a
// login, the pool's connections start in that role. Open refuses a pool that could do more.
//
// # Transactions
//
// InTx is the only place that begins a transaction, and a batch of statements is only ever sent inside one. Its shape is that of the
// write path: load, decide, write.
//
//	err := s.InTx(ctx, workspaceID, func(ctx context.Context, tx *store.Tx) error {
//		tx.First(func(db store.DBTX) error { return claimKey(ctx, db) })
//		err := tx.Load(ctx,
//			func(db store.DBTX) (err error) { referee, err = q.GetParticipantForUpdate(ctx, db, …); return err },
//			func(db store.DBTX) (err error) { code, err = q.GetCodeByValue(ctx, db, …); return err },
//		)
//		if err != nil {
//			return err
//		}
//		decision := rule(referee, code)
//		if err := q.CreateDecision(ctx, tx.Write(), …); err != nil {
//			return err
//		}
//		return q.MoveReferral(ctx, tx.Guard(), …)
//	})
//
// Round trips: BEGIN, what First asks and the first statement of every function of Load travel together; so do all queued writes and
// COMMIT. A transaction that loads once and writes takes two, whatever its number of statements. Guards cost one more, because
// somebody has to look at the counts before COMMIT is sent.
//
//   - Load runs its functions by turns, never at the same time, on the transaction's connection: each runs until it has asked for a
//     statement, then all that were asked for are sent as one batch, and each function goes on with its result, in the order they were
//     given. A function that asks again waits for the next round. The first function that fails ends Load with its error; what the others
//     would have received is dropped. Functions may share variables; they must not hand their DBTX to a goroutine, and not ask for
//     the next statement before the rows of the one before are read. The context is Load's, not the statement's. Rows are locked in the
//     order of the functions.
//   - First registers a function that goes before the others of the next Load (or of the commit, when there is no Load): the claim of the
//     idempotency key. Its error keeps every other result out of sight.
//   - Write queues: Exec returns an empty tag and no error, a query is refused. Arguments are read when the queue is sent, at the end.
//   - Guard queues a statement that must affect exactly one row, as a conditional update does. Otherwise nothing is committed, and the
//     whole function runs again; when that does not help, the answer is the problem conflict.
//   - DB executes at once, for the rare statement that depends on one that is not a load. Nothing sees queued writes before the end.
//   - OnCommit hooks run after the commit, in order, and not at all without one.
//
// When the function returns an error, nothing is stored. A refusal that must be stored under its idempotency key is therefore two
// transactions: the first is undone by returning the problem, the second claims the key again and stores the answer. Should somebody
// have used the key in between, the second claim finds out, and what it finds is the answer. (A savepoint instead would cost every
// transaction a statement and a sub-transaction, and could not undo what only the last batch reveals, such as a unique key.)
//
// The function is run again, five times at most and after a random pause, when the database reports a serialization failure or a
// deadlock, and when the function returns ErrRetry. It must therefore make no ids and keep no state of its own: the same ids serve
// every attempt. A transaction is READ COMMITTED and one workspace.
//
// The commit does not end with the request: it has a deadline of its own, because a commit that is cut off may be on one machine only.
// When the answer to COMMIT does not arrive, or comes with a warning (a wait for a standby that was cancelled), the outcome is
// unknown and InTx says so: problem.OutcomeUnknown. It never repeats such a transaction by itself.
//
// # Errors
//
// An error of the database keeps its *pgconn.PgError for errors.As and the name of its sqlc query in a StatementError. What is
// nobody's decision is turned into a problem here: no free connection, a lock or a statement that takes too long, a full server
// (overloaded); no connection, a server that shuts down, is read-only or out of space (unavailable); a claim that waits for another
// claim of the same key (request_in_progress). pgx.ErrNoRows, here ErrNoRows, is passed on as it is.
package store
