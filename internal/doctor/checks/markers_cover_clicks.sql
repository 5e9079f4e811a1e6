-- The range of a marker holds every click of its batch.
-- What lies outside would never be counted.
SELECT format('workspace %s: batch %s has %s clicks outside its range', b.workspace_id, b.id, count(*))
FROM click_batches AS b
JOIN clicks AS c ON c.workspace_id = b.workspace_id AND c.batch_id = b.id
WHERE c.id < b.first_click_id OR c.id > b.last_click_id
GROUP BY b.workspace_id, b.id
ORDER BY 1
