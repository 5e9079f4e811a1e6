package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// CheckDurability fails when the database may forget what it has acknowledged.
func (s *Store) CheckDurability(ctx context.Context) error {
	var off []string
	err := s.DB(uuid.Nil).QueryRow(ctx, `
		SELECT coalesce(array_agg(name ORDER BY name), '{}')
		FROM pg_settings
		WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'`).Scan(&off)
	if err != nil {
		return fmt.Errorf("store: check durability: %w", err)
	}
	if len(off) > 0 {
		return fmt.Errorf("store: the database may lose what it has acknowledged, because it runs with %s off", strings.Join(off, ", "))
	}
	return nil
}
