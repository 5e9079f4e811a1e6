package code_test

import (
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/code"
)

const alphabet = "23456789BCDFGHJKMNPQRSTVWXZ"

func TestFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"a stored code is its own fold, without the hyphen", "ALICE-9", "ALICE9"},
		{"case, spaces and hyphens do not count", " alice-9 ", "ALICE9"},
		{"however many", " - a l i c e - - 9", "ALICE9"},
		{"a generated code", "K7QD-XMTR-4WP", "K7QDXMTR4WP"},
		{"a generated code, read over the phone", "k7qd xmtr 4wp", "K7QDXMTR4WP"},
		{"look-alikes are not folded: a vanity code may have them", "O0I1l", "O0I1L"},
		{"only hyphens and spaces", "- -", ""},
		{"nothing", "", ""},
		{"letters beyond ASCII stay what they are", "straße", "STRAßE"},
		{"the Turkish dotless i is no I", "alıce", "ALıCE"},
		{"the Kelvin sign is no K", "\u212a9", "\u212a9"},
		{"a no-break space is no space", "a\u00a09", "A\u00a09"},
		{"a non-breaking hyphen is no hyphen", "a\u20119", "A\u20119"},
		{"a tab is no space", "a\t9", "A\t9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := code.Fold(c.value); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range []string{"", " alice-9 ", "K7QD-XMTR-4WP", "straße", "\xff-\xfe", "\u212a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		folded := code.Fold(value)
		if again := code.Fold(folded); again != folded {
			t.Errorf("%q folds to %q and that to %q", value, folded, again)
		}
		if strings.ContainsAny(folded, " -abcdefghijklmnopqrstuvwxyz") {
			t.Errorf("%q folds to %q", value, folded)
		}
		for _, other := range []string{" " + value, value + "-", strings.ReplaceAll(value, "", " ")} {
			if isASCII(value) && code.Fold(other) != folded {
				t.Errorf("%q and %q are two codes", value, other)
			}
		}
		if isASCII(value) && (code.Fold(strings.ToLower(value)) != folded || code.Fold(strings.ToUpper(value)) != folded) {
			t.Errorf("the case of %q counts", value)
		}
		if code.Check(value) == nil && !isASCII(value) {
			t.Errorf("%q may be a code", value)
		}
		if (code.Check(value) == nil) != (code.Check(folded) == nil) && len(value) <= 40 {
			t.Errorf("%q and its fold are judged differently", value)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		want        error
	}{
		{"a name", "ALICE-9", nil},
		{"lower case", "alice 9", nil},
		{"three letters", "abc", nil},
		{"two letters and a hyphen are too short", "a-b", code.ErrLength},
		{"nothing", "", code.ErrLength},
		{"only hyphens", "----", code.ErrLength},
		{"forty letters", strings.Repeat("AB1C", 10), nil},
		{"forty-one letters", strings.Repeat("AB1C", 10) + "A", code.ErrLength},
		{"an umlaut", "MÜLLER", code.ErrCharacter},
		{"an underscore", "alice_9", code.ErrCharacter},
		{"a slash would change the link", "a/b/c", code.ErrCharacter},
		{"a line break", "alice\n", code.ErrCharacter},
		{"a zero-width space", "ali\u200bce", code.ErrCharacter},
		{"a look-alike of another script", "АLICE", code.ErrCharacter},
		{"broken UTF-8", "ali\xffce", code.ErrCharacter},
		{"a bad word", "shitty", code.ErrOffensive},
		{"a bad word, spaced out", "s-h i-t", code.ErrOffensive},
		{"a bad word in digits", "5H17", code.ErrOffensive},
		{"a bad word inside", "bestbitchever", code.ErrOffensive},
		{"an honest word that holds a bad one", "GRAPE-PEACOCK", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := code.Check(c.value); !errors.Is(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// readFrom is a source of bytes that can be repeated.
func readFrom(seed uint64) func([]byte) (int, error) {
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	return func(p []byte) (int, error) {
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		return len(p), nil
	}
}

// bytesFor is what draws the given folded codes, one after the other.
func bytesFor(codes ...string) func([]byte) (int, error) {
	return func(p []byte) (int, error) {
		clear(p)
		for i := range codes[0] {
			p[i] = byte(strings.IndexByte(alphabet, codes[0][i]))
		}
		codes = codes[1:]
		return len(p), nil
	}
}

func TestGeneratedCodes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			got, err := code.Generate(readFrom(rapid.Uint64().Draw(t, "seed")))
			if err != nil {
				t.Fatal(err)
			}
			folded := strings.ReplaceAll(got, "-", "")
			if code.Fold(got) != folded || code.Fold(strings.ToLower(got)) != folded {
				t.Fatalf("%s does not fold to itself", got)
			}
			if len(folded) != code.Length || strings.Trim(folded, alphabet) != "" || got != folded[:4]+"-"+folded[4:8]+"-"+folded[8:] {
				t.Fatalf("%s is no code", got)
			}
			if err := code.Check(got); err != nil {
				t.Fatalf("%s could not be chosen by hand: %v", got, err)
			}
		}
	})
}

func TestGenerateTurnsDownOffensiveCodes(t *testing.T) {
	t.Parallel()
	const fine = "K7QDXMTR4WP"
	for _, bad := range []string{
		"K7FCKMTR4WP", "SHT2345678W", "4WPK7QDXCNT", "2KKK3456789", // words without their vowels
		"K7QDX55R4WP", "F6XX2345NZ9", "9CNT2345678", // two letters that stand for worse
		"B4ST4RD2X7Q", "2X84574RDWP", // digits that stand for letters
	} {
		t.Run(bad, func(t *testing.T) {
			t.Parallel()
			got, err := code.Generate(bytesFor(bad, fine))
			if err != nil || got != "K7QD-XMTR-4WP" {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// TestGenerateIsFair compares characters at both ends of the alphabet that are in no offensive word. 256 is no multiple of 27:
// taking every byte would draw the first 13 characters a ninth more often than the others.
func TestGenerateIsFair(t *testing.T) {
	t.Parallel()
	count := map[rune]float64{}
	read := readFrom(1)
	for range 20_000 {
		got, err := code.Generate(read)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			count[r]++
		}
	}
	ratio := (count['2'] + count['3'] + count['4'] + count['6']) / (count['J'] + count['M'] + count['Q'] + count['X'])
	if ratio < 0.97 || ratio > 1.03 {
		t.Errorf("the first characters are drawn %.3f times as often as the last", ratio)
	}
	for _, r := range alphabet {
		if count[r] == 0 {
			t.Errorf("%c is never drawn", r)
		}
	}
}

func TestGenerateThrowsUnfairBytesAway(t *testing.T) {
	t.Parallel()
	calls := 0
	got, err := code.Generate(func(p []byte) (int, error) {
		calls++
		for i := range p {
			p[i] = 255
		}
		if calls > 3 {
			return bytesFor("K7QDXMTR4WP")(p)
		}
		return len(p), nil
	})
	if err != nil || got != "K7QD-XMTR-4WP" || calls != 4 {
		t.Errorf("got %s, %v after %d calls", got, err, calls)
	}
}

func TestGenerateGivesUpWithItsSource(t *testing.T) {
	t.Parallel()
	want := errors.New("no entropy")
	if got, err := code.Generate(func([]byte) (int, error) { return 0, want }); got != "" || !errors.Is(err, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestGenerateDoesNotRepeatItself(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 10_000 {
		got, err := code.Generate(rand.Read)
		if err != nil || seen[got] {
			t.Fatalf("%s, %v", got, err)
		}
		seen[got] = true
	}
}
