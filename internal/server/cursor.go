package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

const (
	defaultLimit   = 50
	cursorChecksum = 12 // bytes
)

// A cursor is the position after the last item of a page, with a checksum over everything it belongs to: workspace, operation,
// path and filters. It holds no secret and grants nothing, since each page is read with the caller's own workspace; the checksum
// keeps a cursor from being used where its position means something else.

// pageFrom reads what a list operation was asked for. Position is the type of the list's keyset, for example uuid.UUID; after is
// nil on the first page.
func pageFrom[Position any](ctx context.Context, limit *int64, cursor *string) (most int32, after *Position, err error) {
	most = defaultLimit
	if limit != nil {
		most = int32(*limit) // the contract keeps it from 1 to 200
	}
	if cursor == nil {
		return most, nil, nil
	}
	malformed := problem.MalformedRequest.With("The cursor does not belong to this list.")
	data, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err != nil || len(data) < cursorChecksum {
		return 0, nil, malformed
	}
	sum, text := data[:cursorChecksum], data[cursorChecksum:]
	after = new(Position)
	if !bytes.Equal(sum, cursorSum(ctx, text)) || json.Unmarshal(text, after) != nil {
		return 0, nil, malformed
	}
	return most, after, nil
}

// nextPage cuts rows, of which one more than most was read, to the page, and gives the cursor of the page after it, null when there
// is none.
func nextPage[Row, Position any](
	ctx context.Context, rows []Row, most int32, position func(Row) Position,
) ([]Row, nullable.Nullable[string]) {
	if len(rows) <= int(most) {
		return rows, nullable.NewNullNullable[string]()
	}
	rows = rows[:most]
	text, err := json.Marshal(position(rows[most-1]))
	if err != nil {
		panic(err) // positions are ids, times and numbers
	}
	cursor := base64.RawURLEncoding.EncodeToString(append(cursorSum(ctx, text), text...))
	return rows, nullable.NewNullableWithValue(cursor)
}

// cursorSum binds a position to its list. All filters come from the query; limit may change from page to page.
func cursorSum(ctx context.Context, position []byte) []byte {
	req := requestFrom(ctx)
	hash := sha256.New()
	field := func(s string) {
		hash.Write([]byte{byte(len(s) >> 8), byte(len(s))})
		hash.Write([]byte(s))
	}
	field(string(req.principal.WorkspaceID[:]))
	if req.op != nil {
		field(req.op.id)
	}
	for _, name := range slices.Sorted(maps.Keys(req.path)) {
		field(req.path[name])
	}
	for _, name := range slices.Sorted(maps.Keys(req.query)) {
		if name != "cursor" && name != "limit" {
			field(name)
			field(req.query.Get(name))
		}
	}
	hash.Write(position)
	return hash.Sum(nil)[:cursorChecksum]
}
