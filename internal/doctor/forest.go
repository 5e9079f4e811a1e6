package doctor

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// forest is the tree of one program: participants by number, and who is above each, none for a root. It takes some 50 bytes a
// participant, and only one is in memory at a time.
type forest struct {
	workspace, program uuid.UUID
	numbers            map[uuid.UUID]int32
	people             []uuid.UUID
	above              []int32
}

const none int32 = -1

// noCycles walks up from every referee of a live referral, program by program.
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
	var findings []string
	f := newForest(uuid.Nil, uuid.Nil)
	for rows.Next() {
		var workspace, program, referee, referrer uuid.UUID
		if err := rows.Scan(&workspace, &program, &referee, &referrer); err != nil {
			return nil, err
		}
		if program != f.program || workspace != f.workspace {
			findings = append(findings, f.findings()...)
			f = newForest(workspace, program)
		}
		f.put(referee, referrer)
	}
	return append(findings, f.findings()...), rows.Err()
}

func newForest(workspace, program uuid.UUID) *forest {
	return &forest{workspace: workspace, program: program, numbers: map[uuid.UUID]int32{}}
}

func (f *forest) number(participant uuid.UUID) int32 {
	n, ok := f.numbers[participant]
	if !ok {
		n = int32(len(f.above))
		f.numbers[participant] = n
		f.people, f.above = append(f.people, participant), append(f.above, none)
	}
	return n
}

func (f *forest) put(referee, referrer uuid.UUID) {
	n := f.number(referee)
	f.above[n] = f.number(referrer)
}

func (f *forest) findings() []string {
	var out []string
	for _, n := range cycles(f.above) {
		out = append(out, fmt.Sprintf("workspace %s: participant %s came into program %s through itself", f.workspace, f.people[n], f.program))
	}
	return out
}

// cycles returns one member of every cycle. Each participant is walked over once: a walk ends where an earlier one has been.
func cycles(above []int32) []int32 {
	var found []int32
	walk := make([]int32, len(above)) // by which walk, counted from 1, each was met
	for start := range above {
		for n := int32(start); n != none; n = above[n] {
			if walk[n] != 0 {
				if walk[n] == int32(start)+1 {
					found = append(found, n)
				}
				break
			}
			walk[n] = int32(start) + 1
		}
	}
	return found
}
