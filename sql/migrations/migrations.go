// Package migrations carries the schema, one of the two sources of truth, inside the binary.
package migrations

import "embed"

// FS holds the golang-migrate files of this folder.
//
//go:embed *.sql
var FS embed.FS
