CREATE TABLE program_days (
    workspace_id uuid NOT NULL,
    program_id uuid NOT NULL,
    day date NOT NULL,
    shard smallint NOT NULL,
    clicks bigint NOT NULL DEFAULT 0,
    human_clicks bigint NOT NULL DEFAULT 0,
    unique_visitors bigint NOT NULL DEFAULT 0,
    signups bigint NOT NULL DEFAULT 0,
    referrals bigint NOT NULL DEFAULT 0,
    qualified bigint NOT NULL DEFAULT 0,
    conversions bigint NOT NULL DEFAULT 0,
    revenue bigint NOT NULL DEFAULT 0,
    reversed_revenue bigint NOT NULL DEFAULT 0,
    rewards_granted bigint NOT NULL DEFAULT 0,
    rewards_reversed bigint NOT NULL DEFAULT 0,
    CONSTRAINT program_days_pkey PRIMARY KEY (workspace_id, program_id, day, shard),
    CONSTRAINT program_days_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id)
);

COMMENT ON TABLE program_days IS 'One row counts a share of what happened in a program on a day of its time zone: a day is the sum of its shards, so that no row is hot.';

CREATE TABLE referrer_days (
    workspace_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    program_id uuid NOT NULL,
    day date NOT NULL,
    shard smallint NOT NULL,
    clicks bigint NOT NULL DEFAULT 0,
    human_clicks bigint NOT NULL DEFAULT 0,
    unique_visitors bigint NOT NULL DEFAULT 0,
    signups bigint NOT NULL DEFAULT 0,
    referrals bigint NOT NULL DEFAULT 0,
    qualified bigint NOT NULL DEFAULT 0,
    conversions bigint NOT NULL DEFAULT 0,
    revenue bigint NOT NULL DEFAULT 0,
    reversed_revenue bigint NOT NULL DEFAULT 0,
    rewards_granted bigint NOT NULL DEFAULT 0,
    rewards_reversed bigint NOT NULL DEFAULT 0,
    CONSTRAINT referrer_days_pkey PRIMARY KEY (workspace_id, participant_id, program_id, day, shard),
    CONSTRAINT referrer_days_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT referrer_days_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id)
);

COMMENT ON TABLE referrer_days IS 'One row counts a share of what a referrer brought to a program on a day, the twin of program_days.';

CREATE TABLE visitor_days (
    workspace_id uuid NOT NULL,
    program_id uuid NOT NULL,
    day date NOT NULL,
    referrer_id uuid NOT NULL,
    visitor bytea NOT NULL,
    CONSTRAINT visitor_days_pkey PRIMARY KEY (workspace_id, program_id, day, visitor, referrer_id)
);

COMMENT ON TABLE visitor_days IS 'One row says that a human visitor came through a referrer''s code on a day, the set behind unique visitors.';

GRANT SELECT, INSERT ON program_days TO grapevine_app;

GRANT UPDATE (clicks, human_clicks, unique_visitors, signups, referrals, qualified, conversions, revenue, reversed_revenue, rewards_granted, rewards_reversed) ON program_days TO grapevine_app;

GRANT SELECT, INSERT ON referrer_days TO grapevine_app;

GRANT UPDATE (clicks, human_clicks, unique_visitors, signups, referrals, qualified, conversions, revenue, reversed_revenue, rewards_granted, rewards_reversed) ON referrer_days TO grapevine_app;

GRANT SELECT, INSERT ON visitor_days TO grapevine_app;
