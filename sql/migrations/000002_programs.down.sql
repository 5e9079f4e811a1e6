ALTER TABLE programs DROP CONSTRAINT programs_current_version_id_fkey;

DROP TABLE program_versions;

DROP TABLE programs;
