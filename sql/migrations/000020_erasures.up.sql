ALTER TABLE participants DROP CONSTRAINT participants_state_check;

ALTER TABLE participants ADD CONSTRAINT participants_state_check CHECK (state IN ('active', 'suspended', 'banned', 'erased'));

CREATE TABLE erasure_requests (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    participant_id uuid NOT NULL,
    reference_hash bytea,
    disposition text,
    block_reuse boolean NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    CONSTRAINT erasure_requests_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT erasure_requests_participant_id_key UNIQUE (workspace_id, participant_id),
    CONSTRAINT erasure_requests_reference_hash_key UNIQUE (workspace_id, reference_hash),
    CONSTRAINT erasure_requests_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT erasure_requests_disposition_check CHECK (disposition IN ('pay_out', 'forfeit')),
    CONSTRAINT erasure_requests_state_check CHECK (state IN ('running', 'completed')),
    CONSTRAINT erasure_requests_completed_at_check CHECK ((completed_at IS NOT NULL) = (state = 'completed'))
);

COMMENT ON TABLE erasure_requests IS 'One row is the erasure of a person: identity goes at once, and with completed_at from the answers that are kept for repeated requests too.';

COMMENT ON COLUMN erasure_requests.reference_hash IS 'Keyed hash of the caller''s reference of the request, which may name the person.';

CREATE INDEX erasure_requests_id_idx ON erasure_requests (workspace_id, id) WHERE state = 'running';

CREATE TABLE erasure_tombstones (
    workspace_id uuid NOT NULL,
    hash bytea NOT NULL,
    erasure_request_id uuid NOT NULL,
    CONSTRAINT erasure_tombstones_pkey PRIMARY KEY (workspace_id, hash),
    CONSTRAINT erasure_tombstones_erasure_request_id_fkey FOREIGN KEY (workspace_id, erasure_request_id) REFERENCES erasure_requests (workspace_id, id),
    CONSTRAINT erasure_tombstones_hash_check CHECK (octet_length(hash) = 32)
);

COMMENT ON TABLE erasure_tombstones IS 'One row is a keyed hash by which an erased person who must not be referred again is known, and nothing else.';

DELETE FROM fact_keys WHERE key LIKE 'conversion:%';

GRANT SELECT, INSERT ON erasure_requests TO grapevine_app;

GRANT UPDATE (state, completed_at) ON erasure_requests TO grapevine_app;

GRANT SELECT, INSERT ON erasure_tombstones TO grapevine_app;

GRANT UPDATE (value, folded_value) ON codes TO grapevine_app;

GRANT UPDATE (visitor, visitor_key, address_hash, utm, referrer_host) ON clicks TO grapevine_app;

GRANT UPDATE (visitor) ON visitor_days TO grapevine_app;

GRANT UPDATE (external_id, fingerprint, metadata) ON signups TO grapevine_app;

GRANT UPDATE (external_id, fingerprint, metadata) ON conversions TO grapevine_app;

GRANT UPDATE (external_id, conversion_external_id, fingerprint, note) ON reversals TO grapevine_app;

GRANT UPDATE (external_id, fingerprint) ON churns TO grapevine_app;

GRANT UPDATE (waits_for) ON unmatched_facts TO grapevine_app;

GRANT UPDATE (note, note_salt) ON events TO grapevine_app;

GRANT UPDATE (external_id, note) ON credit_redemptions TO grapevine_app;

GRANT UPDATE (note) ON credit_redemption_voids TO grapevine_app;
