-- Sealing puts what was committed to the log into its chain. A transaction leaves one marker with its events, which commits with them:
-- so an event is sealed once it can be seen, however late, and nobody who writes waits for anybody.

-- name: HasEventsToSeal :one
-- A plain read, so that a workspace without new events is not locked.
SELECT EXISTS (SELECT 1 FROM event_batches WHERE event_batches.workspace_id = @workspace_id)::boolean;

-- name: CreateEventHead :exec
INSERT INTO event_heads (workspace_id, seq, hash) VALUES (@workspace_id, 0, @genesis)
ON CONFLICT (workspace_id) DO NOTHING;

-- name: LockEventHead :one
-- No row when another process seals this workspace.
SELECT * FROM event_heads WHERE workspace_id = @workspace_id FOR UPDATE SKIP LOCKED;

-- name: TakeEventBatches :many
-- Takes markers away, oldest first.
DELETE FROM event_batches
WHERE event_batches.workspace_id = @workspace_id
    AND event_batches.id IN (
        SELECT oldest.id FROM event_batches AS oldest
        WHERE oldest.workspace_id = @workspace_id
        ORDER BY oldest.id
        LIMIT @batch_limit
    )
RETURNING event_batches.id, event_batches.event_ids;

-- name: ListEventsByID :many
SELECT * FROM events WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: CreateEventSeals :exec
INSERT INTO event_seals (workspace_id, seq, event_id, hash)
SELECT @workspace_id::uuid, t.seq, t.event_id, t.hash
FROM (SELECT unnest(@seqs::bigint[]) AS seq, unnest(@event_ids::uuid[]) AS event_id, unnest(@hashes::bytea[]) AS hash) AS t;

-- name: CreateEventCheckpoint :exec
INSERT INTO event_checkpoints (workspace_id, seq, hash) VALUES (@workspace_id, @seq, @hash);

-- name: MoveEventHead :exec
UPDATE event_heads SET seq = @seq, hash = @hash WHERE workspace_id = @workspace_id AND seq = @from_seq;

-- name: GetLogEnd :one
-- Where the chain says that it ends, and how far its tables go. All in one snapshot.
SELECT
    coalesce((SELECT event_heads.seq FROM event_heads WHERE event_heads.workspace_id = @workspace_id), 0)::bigint AS seq,
    coalesce((SELECT event_heads.hash FROM event_heads WHERE event_heads.workspace_id = @workspace_id), '\x')::bytea AS hash,
    greatest(
        coalesce((SELECT max(event_seals.seq) FROM event_seals WHERE event_seals.workspace_id = @workspace_id), 0),
        coalesce((SELECT max(event_checkpoints.seq) FROM event_checkpoints WHERE event_checkpoints.workspace_id = @workspace_id), 0)
    )::bigint AS last_seq,
    coalesce((
        SELECT sum(cardinality(event_batches.event_ids)) FROM event_batches WHERE event_batches.workspace_id = @workspace_id
    ), 0)::bigint AS unsealed;

-- name: CountStrayEvents :one
-- How many events more than there are in the chain and on its markers: the chain has no place for them. Less than zero when some of
-- the latter are missing.
SELECT (
    (SELECT count(*) FROM events WHERE events.workspace_id = @workspace_id)
    - coalesce((SELECT event_heads.seq FROM event_heads WHERE event_heads.workspace_id = @workspace_id), 0)
    - coalesce((
        SELECT sum(cardinality(event_batches.event_ids)) FROM event_batches WHERE event_batches.workspace_id = @workspace_id
    ), 0)
)::bigint;

-- name: GetEventSeal :one
SELECT * FROM event_seals WHERE workspace_id = @workspace_id AND seq = @seq;

-- name: ListSealedEvents :many
-- A stretch of the chain with its events and checkpoints, NULL where one is missing.
SELECT
    event_seals.seq, event_seals.hash, event_checkpoints.hash AS checkpoint, events.id, events.type, events.subject_type,
    events.subject_id, events.data, events.note, events.note_salt, events.note_digest, events.created_at
FROM event_seals
LEFT JOIN events ON events.workspace_id = event_seals.workspace_id AND events.id = event_seals.event_id
LEFT JOIN event_checkpoints
    ON event_checkpoints.workspace_id = event_seals.workspace_id AND event_checkpoints.seq = event_seals.seq
WHERE event_seals.workspace_id = @workspace_id AND event_seals.seq > @after AND event_seals.seq <= @up_to
ORDER BY event_seals.seq
LIMIT @page_limit;
