DROP TABLE click_batches;

DROP TABLE clicks;
