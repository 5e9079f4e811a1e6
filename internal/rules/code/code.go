// Package code makes and folds the codes that referrers share.
package code

import (
	"errors"
	"strings"
)

// alphabet has no look-alikes (0 O, 1 I L) and no vowels, so that hardly a word can be spelled. Its 27 characters to the
// power of Length are 52 bits.
const alphabet = "23456789BCDFGHJKMNPQRSTVWXZ"

// Length is the number of characters of a generated code.
const Length = 11

// groups cuts a generated code for reading: XXXX-XXXX-XXX.
var groups = []int{4, 4, 3}

// Fold returns the form under which codes are compared: upper case, without spaces and hyphens.
func Fold(value string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-':
			return -1
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, value)
}

// Why a vanity value is refused.
var (
	ErrLength    = errors.New("a code has 3 to 40 letters and digits")
	ErrCharacter = errors.New("a code has only the letters A to Z, digits, spaces and hyphens")
	ErrOffensive = errors.New("this code would read as an offensive word")
)

// Check reports why value may not be a vanity code, or nil. Errors: ErrLength, ErrCharacter, ErrOffensive.
func Check(value string) error {
	folded := Fold(value)
	for _, r := range folded {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return ErrCharacter
		}
	}
	if len(folded) < 3 || len(value) > 40 {
		return ErrLength
	}
	if contains(folded, words) {
		return ErrOffensive
	}
	return nil
}

// Generate makes a code out of random bytes, of which it takes as many as it needs from read. It calls read again when
// the code reads as an offensive word.
func Generate(read func(p []byte) (int, error)) (string, error) {
	for {
		folded, err := draw(read)
		if err != nil {
			return "", err
		}
		if contains(folded, consonants) || contains(folded, words) {
			continue
		}
		parts := make([]string, 0, len(groups))
		for _, n := range groups {
			parts = append(parts, folded[:n])
			folded = folded[n:]
		}
		return strings.Join(parts, "-"), nil
	}
}

// draw picks characters without bias: bytes past the last whole multiple of the alphabet are thrown away.
func draw(read func(p []byte) (int, error)) (string, error) {
	const fair = 256 - 256%len(alphabet)
	out := make([]byte, 0, Length)
	var buf [2 * Length]byte
	for len(out) < Length {
		if _, err := read(buf[:]); err != nil {
			return "", err
		}
		for _, b := range buf {
			if int(b) < fair && len(out) < Length {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}
