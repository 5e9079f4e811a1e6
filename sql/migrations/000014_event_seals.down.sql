DROP TABLE event_heads;

DROP TABLE event_checkpoints;

DROP TABLE event_seals;

DROP TABLE event_batches;

UPDATE events SET data = data || jsonb_build_object('note', note) WHERE note IS NOT NULL;

ALTER TABLE events DROP CONSTRAINT events_note_check;

ALTER TABLE events
    DROP COLUMN note,
    DROP COLUMN note_salt,
    DROP COLUMN note_digest;
