-- Folding adds committed clicks to the statistics. Whoever folds a workspace holds the lock on its row, so that what is counted as
-- new to a day is counted once; the clicks of a marker are those of its id within its range of ids.

-- name: HasClicksToFold :one
-- A plain read, so that a workspace without new clicks is not locked.
SELECT EXISTS (SELECT 1 FROM click_batches WHERE click_batches.workspace_id = @workspace_id)::boolean;

-- name: LockWorkspaceForFolding :one
-- No row when another process folds this workspace. Foreign keys to the workspace are not held up.
SELECT workspace_id FROM workspaces WHERE workspace_id = @workspace_id FOR NO KEY UPDATE SKIP LOCKED;

-- name: FoldClicks :one
-- Takes markers away, oldest first, adds their clicks to the counters, and tells how many markers that were. All parts see the
-- database as it was before. OFFSET 0 keeps the planner from joining the whole table of clicks: it reads the range of each marker.
-- Markers come and go by the thousand; beginning at the first that is there spares a walk over the remains of all before it.
WITH marker AS (
    DELETE FROM click_batches
    WHERE click_batches.workspace_id = @workspace_id
        AND click_batches.id IN (
            SELECT oldest.id FROM click_batches AS oldest
            WHERE oldest.workspace_id = @workspace_id
                AND oldest.id >= (
                    SELECT first.id FROM click_batches AS first
                    WHERE first.workspace_id = @workspace_id
                    ORDER BY first.id
                    LIMIT 1
                )
            ORDER BY oldest.id
            LIMIT @batch_limit
        )
    RETURNING click_batches.id, click_batches.first_click_id, click_batches.last_click_id
),
click AS MATERIALIZED (
    SELECT found.program_id, found.referrer_id, found.day, found.visitor, found.classification = 'human' AS human
    FROM marker
    CROSS JOIN LATERAL (
        SELECT clicks.program_id, clicks.referrer_id, clicks.day, clicks.visitor, clicks.classification
        FROM clicks
        WHERE clicks.workspace_id = @workspace_id
            AND clicks.id >= marker.first_click_id
            AND clicks.id <= marker.last_click_id
            AND clicks.batch_id = marker.id
        OFFSET 0
    ) AS found
),
visit AS MATERIALIZED (
    -- Who came through whom, and whether that is known already: one look into the set answers for referrer and program. In the order
    -- of the set's index, which makes reading and writing it a quarter cheaper.
    SELECT visitor.program_id, visitor.day, visitor.referrer_id, visitor.visitor, known.to_referrer, known.to_program
    FROM (
        SELECT DISTINCT click.program_id, click.day, click.visitor, click.referrer_id
        FROM click
        WHERE click.human
        ORDER BY click.program_id, click.day, click.visitor, click.referrer_id
    ) AS visitor
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(seen.referrer_id = visitor.referrer_id), false) AS to_referrer, count(*) > 0 AS to_program
        FROM visitor_days AS seen
        WHERE seen.workspace_id = @workspace_id
            AND seen.program_id = visitor.program_id
            AND seen.day = visitor.day
            AND seen.visitor = visitor.visitor
    ) AS known
),
arrival AS (
    INSERT INTO visitor_days (workspace_id, program_id, day, referrer_id, visitor)
    SELECT @workspace_id::uuid, visit.program_id, visit.day, visit.referrer_id, visit.visitor
    FROM visit
    WHERE NOT visit.to_referrer
),
cell AS (
    SELECT click.program_id, click.referrer_id, click.day, count(*) AS clicks, count(*) FILTER (WHERE click.human) AS human_clicks
    FROM click
    GROUP BY click.program_id, click.referrer_id, click.day
),
by_referrer AS (
    INSERT INTO referrer_days (workspace_id, participant_id, program_id, day, shard, clicks, human_clicks, unique_visitors)
    SELECT
        @workspace_id::uuid, cell.referrer_id, cell.program_id, cell.day, -1::smallint, cell.clicks, cell.human_clicks,
        coalesce(fresh.visitors, 0)
    FROM cell
    LEFT JOIN (
        SELECT visit.program_id, visit.referrer_id, visit.day, count(*) AS visitors
        FROM visit
        WHERE NOT visit.to_referrer
        GROUP BY visit.program_id, visit.referrer_id, visit.day
    ) AS fresh USING (program_id, referrer_id, day)
    ON CONFLICT (workspace_id, participant_id, program_id, day, shard) DO UPDATE
    SET
        clicks = referrer_days.clicks + EXCLUDED.clicks,
        human_clicks = referrer_days.human_clicks + EXCLUDED.human_clicks,
        unique_visitors = referrer_days.unique_visitors + EXCLUDED.unique_visitors
),
by_program AS (
    INSERT INTO program_days (workspace_id, program_id, day, shard, clicks, human_clicks, unique_visitors)
    SELECT
        @workspace_id::uuid, total.program_id, total.day, -1::smallint, total.clicks, total.human_clicks, coalesce(fresh.visitors, 0)
    FROM (
        SELECT cell.program_id, cell.day, sum(cell.clicks)::bigint AS clicks, sum(cell.human_clicks)::bigint AS human_clicks
        FROM cell
        GROUP BY cell.program_id, cell.day
    ) AS total
    LEFT JOIN (
        SELECT visit.program_id, visit.day, count(DISTINCT visit.visitor) AS visitors
        FROM visit
        WHERE NOT visit.to_program
        GROUP BY visit.program_id, visit.day
    ) AS fresh USING (program_id, day)
    ON CONFLICT (workspace_id, program_id, day, shard) DO UPDATE
    SET
        clicks = program_days.clicks + EXCLUDED.clicks,
        human_clicks = program_days.human_clicks + EXCLUDED.human_clicks,
        unique_visitors = program_days.unique_visitors + EXCLUDED.unique_visitors
)
SELECT count(*) FROM marker;
