package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
)

// decisionsReplay decides every stored decision again.
func decisionsReplay(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT workspace_id, id, inputs, inputs_hash, answer FROM attribution_decisions ORDER BY workspace_id, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var findings []string
	for rows.Next() {
		var (
			workspace, id        uuid.UUID
			inputs, hash, answer []byte
		)
		if err := rows.Scan(&workspace, &id, &inputs, &hash, &answer); err != nil {
			return nil, err
		}
		if fault := replayFault(inputs, hash, answer); fault != "" {
			findings = append(findings, fmt.Sprintf("workspace %s: decision %s %s", workspace, id, fault))
		}
	}
	return findings, rows.Err()
}

func replayFault(inputs, hash, answer []byte) string {
	if sum := sha256.Sum256(inputs); !bytes.Equal(sum[:], hash) {
		return "has inputs of another hash"
	}
	again, err := attribution.Replay(inputs)
	switch {
	case err != nil:
		return "cannot be replayed: " + err.Error()
	case !bytes.Equal(again, answer):
		return fmt.Sprintf("replays to %s, stored is %s", again, answer)
	}
	return ""
}
