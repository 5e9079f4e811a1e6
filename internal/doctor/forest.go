package doctor

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// node is a participant in a program: the place of a referee or a referrer in a tree.
type node struct{ workspace, program, participant uuid.UUID }

// noCycles walks up from every referee of a live referral.
func noCycles(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT r.workspace_id, r.program_id, r.referee_id, r.referrer_id
		FROM referrals AS r
		WHERE r.state NOT IN ('expired', 'rejected', 'superseded')
		ORDER BY r.workspace_id, r.program_id, r.referee_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	above := map[node]node{}
	var order []node
	for rows.Next() {
		var n node
		var referrer uuid.UUID
		if err := rows.Scan(&n.workspace, &n.program, &n.participant, &referrer); err != nil {
			return nil, err
		}
		above[n] = node{n.workspace, n.program, referrer}
		order = append(order, n)
	}
	var findings []string
	for _, n := range cycles(order, above) {
		findings = append(findings, fmt.Sprintf("workspace %s: participant %s came into program %s through itself", n.workspace, n.participant, n.program))
	}
	return findings, rows.Err()
}

// cycles returns one node of every cycle. Each node is walked over once: a walk ends where an earlier one has been.
func cycles(order []node, above map[node]node) []node {
	var found []node
	walk := map[node]int{}
	for i, n := range order {
		for {
			if seen := walk[n]; seen != 0 {
				if seen == i+1 {
					found = append(found, n)
				}
				break
			}
			walk[n] = i + 1
			up, ok := above[n]
			if !ok {
				break
			}
			n = up
		}
	}
	return found
}
