ALTER TABLE events
    ADD COLUMN note text,
    ADD COLUMN note_salt bytea,
    ADD COLUMN note_digest bytea;

COMMENT ON COLUMN events.note IS 'Words of a person, apart from data because they may name somebody: erasing them leaves the chain whole.';

COMMENT ON COLUMN events.note_digest IS 'SHA-256 of note_salt and note: part of the chain, and worth nothing without the salt.';

UPDATE events SET note_salt = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), note = data ->> 'note', data = data - 'note' WHERE data ->> 'note' IS NOT NULL;

UPDATE events SET note_digest = sha256(note_salt || convert_to(note, 'UTF8')) WHERE note IS NOT NULL;

ALTER TABLE events ADD CONSTRAINT events_note_check CHECK (note IS NULL OR (note_salt IS NOT NULL AND note_digest IS NOT NULL));

CREATE TABLE event_batches (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    event_ids uuid[] NOT NULL,
    CONSTRAINT event_batches_pkey PRIMARY KEY (workspace_id, id)
);

COMMENT ON TABLE event_batches IS 'One row is what a transaction wrote to the log and the chain does not hold yet: sealing it deletes it.';

INSERT INTO event_batches (workspace_id, id, event_ids)
SELECT workspace_id, id, ARRAY[id] FROM events;

CREATE TABLE event_seals (
    workspace_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT event_seals_pkey PRIMARY KEY (workspace_id, seq),
    CONSTRAINT event_seals_event_id_key UNIQUE (workspace_id, event_id),
    CONSTRAINT event_seals_event_id_fkey FOREIGN KEY (workspace_id, event_id) REFERENCES events (workspace_id, id),
    CONSTRAINT event_seals_seq_check CHECK (seq > 0),
    CONSTRAINT event_seals_hash_check CHECK (octet_length(hash) = 32)
);

COMMENT ON TABLE event_seals IS 'One row gives an event its place in the chain of its workspace: hash is SHA-256 of the hash before it and of the event.';

CREATE TABLE event_checkpoints (
    workspace_id uuid NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT event_checkpoints_pkey PRIMARY KEY (workspace_id, seq),
    CONSTRAINT event_checkpoints_seq_fkey FOREIGN KEY (workspace_id, seq) REFERENCES event_seals (workspace_id, seq),
    CONSTRAINT event_checkpoints_hash_check CHECK (octet_length(hash) = 32)
);

COMMENT ON TABLE event_checkpoints IS 'One row repeats the hash of every thousandth seal, so that a chain that was made anew is seen, and from where.';

CREATE TABLE event_heads (
    workspace_id uuid NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT event_heads_pkey PRIMARY KEY (workspace_id),
    CONSTRAINT event_heads_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT event_heads_seq_check CHECK (seq >= 0),
    CONSTRAINT event_heads_hash_check CHECK (octet_length(hash) = 32)
);

COMMENT ON TABLE event_heads IS 'One row is the end of the chain of a workspace: whoever seals holds its lock.';

GRANT SELECT, INSERT, DELETE ON event_batches TO grapevine_app;

GRANT SELECT, INSERT ON event_seals TO grapevine_app;

GRANT SELECT, INSERT ON event_checkpoints TO grapevine_app;

GRANT SELECT, INSERT ON event_heads TO grapevine_app;

GRANT UPDATE (seq, hash) ON event_heads TO grapevine_app;
