-- name: ListUpline :many
-- The chain above a referee at a moment, nearest first: depth 1 is the direct referrer, who is given. Every step is one look-up by
-- index of the referral that held the participant then; of several the latest. One that was not qualified in its window had ended
-- with it, also before the clock gets to write that. A chain ends where it would come back to somebody who is in it.
WITH RECURSIVE chain AS (
    SELECT
        1 AS depth,
        @referrer_id::uuid AS participant_id,
        ARRAY[@referee_id::uuid, @referrer_id::uuid] AS members
    UNION ALL
    SELECT
        chain.depth + 1,
        above.referrer_id,
        chain.members || above.referrer_id
    FROM chain
    CROSS JOIN LATERAL (
        SELECT referrals.referrer_id FROM referrals
        WHERE referrals.workspace_id = @workspace_id
            AND referrals.referee_id = chain.participant_id
            AND referrals.program_id = @program_id
            AND referrals.attributed_at <= @at::timestamptz
            AND (referrals.ended_at IS NULL OR referrals.ended_at > @at::timestamptz)
            AND (referrals.state <> 'attributed' OR referrals.qualify_by > @at::timestamptz)
        ORDER BY referrals.attributed_at DESC, referrals.id DESC
        LIMIT 1
    ) AS above
    WHERE chain.depth < @max_depth::integer AND above.referrer_id <> ALL (chain.members)
)
SELECT
    chain.depth::integer AS depth,
    member.id AS participant_id,
    member.state
FROM chain
CROSS JOIN LATERAL (
    SELECT participants.id, participants.state FROM participants
    WHERE participants.workspace_id = @workspace_id AND participants.id = chain.participant_id
    LIMIT 1
) AS member
ORDER BY chain.depth;
