ALTER TABLE referrals DROP CONSTRAINT referrals_qualifying_conversion_id_fkey;

DROP TABLE fact_keys;

DROP TABLE unmatched_facts;

DROP TABLE churns;

DROP TABLE reversals;

DROP TABLE conversions;
