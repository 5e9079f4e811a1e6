DROP TABLE referrals;

DROP TABLE attribution_decisions;

DROP TABLE signups;
