-- name: ListUpline :many
-- The chain above a referee at a moment, nearest first: depth 1 is the direct referrer, who is given. Every step is one look-up by
-- index of the referral that held the participant then; of several the latest. One that was not qualified in its window had ended
-- with it, also before the clock gets to write that. A chain ends where it would come back to somebody who is in it.
WITH RECURSIVE chain AS (
    SELECT
        1 AS depth,
        @referrer_id::uuid AS participant_id,
        NULL::uuid AS referral_id,
        ARRAY[@referee_id::uuid, @referrer_id::uuid] AS members
    UNION ALL
    SELECT
        chain.depth + 1,
        above.referrer_id,
        above.id,
        chain.members || above.referrer_id
    FROM chain
    CROSS JOIN LATERAL (
        SELECT referrals.id, referrals.referrer_id FROM referrals
        WHERE referrals.workspace_id = @workspace_id
            AND referrals.referee_id = chain.participant_id
            AND referrals.program_id = @program_id
            AND coalesce(referrals.holds_from, referrals.attributed_at) <= @at::timestamptz
            AND (referrals.ended_at IS NULL OR referrals.ended_at > @at::timestamptz)
            AND (referrals.state <> 'attributed' OR referrals.qualify_by > @at::timestamptz)
        ORDER BY coalesce(referrals.holds_from, referrals.attributed_at) DESC, referrals.id DESC
        LIMIT 1
    ) AS above
    WHERE chain.depth < @max_depth::integer AND above.referrer_id <> ALL (chain.members)
)
SELECT
    chain.depth::integer AS depth,
    chain.referral_id::uuid AS referral_id,
    member.id AS participant_id,
    member.external_id,
    member.state,
    member.group_timeline
FROM chain
CROSS JOIN LATERAL (
    SELECT participants.id, participants.external_id, participants.state, participants.group_timeline FROM participants
    WHERE participants.workspace_id = @workspace_id AND participants.id = chain.participant_id
    LIMIT 1
) AS member
ORDER BY chain.depth;

-- name: ListDownline :many
-- A page of the tree below a participant, everybody before those whom they brought. The walk goes from one to the next by index: to
-- the first referee, else to the next one of the same referrer, else of the nearest above. So a page costs what it shows, however
-- large the tree is. A position is the way to somebody: the participants from the top, and the last referral visited of each.
WITH RECURSIVE walk AS (
    SELECT
        0 AS visits,
        0::bigint AS level,
        @participants::uuid[] AS participants,
        @referrals::uuid[] AS referrals
    UNION ALL
    SELECT
        walk.visits + 1,
        next.level,
        walk.participants[:next.level] || next.referee_id,
        walk.referrals[:next.level - 1] || next.id || '00000000-0000-0000-0000-000000000000'::uuid
    FROM walk
    CROSS JOIN LATERAL (
        SELECT step.level, found.id, found.referee_id
        FROM unnest(walk.referrals) WITH ORDINALITY AS step (after, level)
        CROSS JOIN LATERAL (
            SELECT referrals.id, referrals.referee_id FROM referrals
            WHERE referrals.workspace_id = @workspace_id
                AND referrals.program_id = @program_id
                AND referrals.referrer_id = walk.participants[step.level]
                AND referrals.id > step.after
                AND referrals.state NOT IN ('expired', 'rejected', 'superseded')
            ORDER BY referrals.id
            LIMIT 1
        ) AS found
        WHERE step.level <= @depth::bigint
        ORDER BY step.level DESC
        LIMIT 1
    ) AS next
    WHERE walk.visits < @page_limit::integer
)
SELECT
    walk.level::bigint AS level,
    walk.referrals::uuid[] AS path,
    referral.id AS referral_id,
    referral.referrer_id,
    referral.referee_id,
    referral.state,
    referral.attributed_at,
    referral.external_id,
    EXISTS (
        SELECT FROM referrals AS below
        WHERE below.workspace_id = @workspace_id
            AND below.program_id = @program_id
            AND below.referrer_id = referral.referee_id
            AND below.state NOT IN ('expired', 'rejected', 'superseded')
    )::boolean AS has_referees
FROM walk
CROSS JOIN LATERAL (
    SELECT
        referrals.id, referrals.referrer_id, referrals.referee_id, referrals.state, referrals.attributed_at, participants.external_id
    FROM referrals
    JOIN participants ON participants.workspace_id = referrals.workspace_id AND participants.id = referrals.referee_id
    WHERE referrals.workspace_id = @workspace_id AND referrals.id = walk.referrals[walk.level]
    LIMIT 1
) AS referral
WHERE walk.visits > 0
ORDER BY walk.visits;

-- name: ListReferralsByIDs :many
-- The referrals on the way to a position.
SELECT id, referrer_id, referee_id FROM referrals WHERE workspace_id = @workspace_id AND id = ANY (@ids::uuid[]);

-- name: CountDownline :many
-- Who is below a participant, by level, near levels first. It stops after so many, so that it costs no more in a tree of any size.
WITH RECURSIVE downline AS (
    SELECT
        0 AS level,
        @participant_id::uuid AS participant_id,
        '' AS state
    UNION ALL
    SELECT
        downline.level + 1,
        below.referee_id,
        below.state
    FROM downline
    CROSS JOIN LATERAL (
        SELECT referrals.referee_id, referrals.state FROM referrals
        WHERE referrals.workspace_id = @workspace_id
            AND referrals.program_id = @program_id
            AND referrals.referrer_id = downline.participant_id
            AND referrals.state NOT IN ('expired', 'rejected', 'superseded')
        ORDER BY referrals.id
        LIMIT @most::bigint
    ) AS below
    WHERE downline.level < @depth::integer
)
SELECT
    counted.level::integer AS level,
    count(*)::bigint AS referees,
    (count(*) FILTER (WHERE counted.state IN ('qualified', 'churned')))::bigint AS qualified
FROM (SELECT downline.level, downline.state FROM downline OFFSET 1 LIMIT @most) AS counted
GROUP BY counted.level
ORDER BY counted.level;
