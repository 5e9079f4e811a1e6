DROP TABLE visitor_days;

DROP TABLE referrer_days;

DROP TABLE program_days;
