ALTER TABLE conversions ADD COLUMN refused_rate_id uuid;

ALTER TABLE conversions ADD CONSTRAINT conversions_refused_rate_id_fkey FOREIGN KEY (workspace_id, refused_rate_id) REFERENCES exchange_rates (workspace_id, id);

COMMENT ON COLUMN conversions.refused_rate_id IS 'The newest rate that was tried and makes the amount too large: only a newer one is tried again.';

GRANT UPDATE (refused_rate_id) ON conversions TO grapevine_app;
