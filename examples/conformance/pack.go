// Package conformance carries the situations of this folder inside the binary.
package conformance

import "embed"

// FS holds the situations and their fixtures.
//
//go:embed *.yaml fixtures
var FS embed.FS
