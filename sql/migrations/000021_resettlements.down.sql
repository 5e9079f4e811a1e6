DROP INDEX conversions_program_id_idx;

DROP TABLE resettlements;
