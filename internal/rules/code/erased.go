package code

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// ErasedValue is what the value of a code becomes when its owner is erased: people are named in values.
const ErasedValue = "ERASED"

// Erased is the folded value of a code whose owner was erased: a keyed hash, by which an old link is known and nothing else. No value
// that somebody types folds to it.
func Erased(key []byte, folded string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("code\x00" + folded))
	return "~" + hex.EncodeToString(m.Sum(nil)[:16])
}
