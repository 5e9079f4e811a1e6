DROP TABLE codes;

DROP TABLE program_participants;

DROP TABLE participants;
