package server

import (
	"strconv"
	"strings"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

// etag is the entity tag of a version of a row.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// versionFrom reads the version that an If-Match names. The contract allows one strong tag of digits only.
func versionFrom(ifMatch string) (int64, error) {
	version, err := strconv.ParseInt(strings.Trim(ifMatch, `"`), 10, 64)
	if err != nil {
		return 0, problem.MalformedRequest.With("If-Match is not a tag of this API.")
	}
	return version, nil
}
