REVOKE UPDATE (note) ON credit_redemption_voids FROM grapevine_app;

REVOKE UPDATE (external_id, note) ON credit_redemptions FROM grapevine_app;

REVOKE UPDATE (note, note_salt) ON events FROM grapevine_app;

REVOKE UPDATE (waits_for) ON unmatched_facts FROM grapevine_app;

REVOKE UPDATE (external_id, fingerprint) ON churns FROM grapevine_app;

REVOKE UPDATE (external_id, conversion_external_id, fingerprint, note) ON reversals FROM grapevine_app;

REVOKE UPDATE (external_id, fingerprint, metadata) ON conversions FROM grapevine_app;

REVOKE UPDATE (external_id, fingerprint, metadata) ON signups FROM grapevine_app;

REVOKE UPDATE (visitor) ON visitor_days FROM grapevine_app;

REVOKE UPDATE (visitor, visitor_key, address_hash, utm, referrer_host) ON clicks FROM grapevine_app;

REVOKE UPDATE (value, folded_value) ON codes FROM grapevine_app;

DROP TABLE erasure_tombstones;

DROP TABLE erasure_requests;

UPDATE participants SET state = 'banned' WHERE state = 'erased';

ALTER TABLE participants DROP CONSTRAINT participants_state_check;

ALTER TABLE participants ADD CONSTRAINT participants_state_check CHECK (state IN ('active', 'suspended', 'banned'));
