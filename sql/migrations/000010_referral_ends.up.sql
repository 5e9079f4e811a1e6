ALTER TABLE referrals ADD COLUMN ended_at timestamptz;

UPDATE referrals SET ended_at = qualify_by WHERE state = 'expired';

UPDATE referrals
SET ended_at = coalesce(
    (
        SELECT max(events.created_at) FROM events
        WHERE events.workspace_id = referrals.workspace_id
            AND events.subject_id = referrals.id
            AND events.type IN ('referral.rejected', 'referral.superseded')
    ),
    created_at
)
WHERE state IN ('rejected', 'superseded');

ALTER TABLE referrals ADD CONSTRAINT referrals_ended_at_check CHECK ((ended_at IS NOT NULL) = (state IN ('expired', 'rejected', 'superseded')));

COMMENT ON COLUMN referrals.ended_at IS 'When the relation stopped: qualify_by when it expired, else when it was rejected or superseded. The tree of a moment is made of the referrals with attributed_at <= moment < ended_at.';

GRANT UPDATE (ended_at) ON referrals TO grapevine_app;

DROP INDEX referrals_referee_id_idx;

CREATE INDEX referrals_referee_id_idx ON referrals (workspace_id, referee_id, program_id, attributed_at, id);
