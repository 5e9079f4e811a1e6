DROP INDEX participants_group_name_idx;

ALTER TABLE participants DROP COLUMN group_timeline;

ALTER TABLE participants DROP COLUMN group_name;
