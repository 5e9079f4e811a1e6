ALTER TABLE participants ADD COLUMN group_name text;

ALTER TABLE participants ADD COLUMN group_timeline jsonb NOT NULL DEFAULT '[]';

ALTER TABLE participants ADD CONSTRAINT participants_group_name_check CHECK (group_name ~ '^[a-z][a-z0-9_]{0,31}$' AND group_name <> 'default');

COMMENT ON COLUMN participants.group_timeline IS 'Every group the participant has been in, oldest first: [{"at", "group"}], without group for none. Rewards go by the group at the time of their fact.';

CREATE INDEX participants_group_name_idx ON participants (workspace_id, group_name, id) WHERE group_name IS NOT NULL;

GRANT UPDATE (group_name, group_timeline) ON participants TO grapevine_app;
