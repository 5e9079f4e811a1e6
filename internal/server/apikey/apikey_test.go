package apikey_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, mode := range []apikey.Mode{apikey.Live, apikey.Test} {
		for _, kind := range []apikey.Kind{apikey.Secret, apikey.Publishable} {
			for _, id := range []uuid.UUID{{}, uuid.Max, uuid.Must(uuid.NewV7())} {
				k := apikey.New(mode, kind, uuid.Must(uuid.NewV7()), id)
				text := k.Text()
				if got, err := apikey.Parse(text); err != nil || got != k || len(text) != 87 {
					t.Errorf("Parse(%s) = %+v, %v", text, got, err)
				}
				if !strings.HasPrefix(text, k.Prefix()) || len(k.Prefix()) != 12 || !strings.HasSuffix(text, k.LastFour()) {
					t.Errorf("prefix %q, last four %q of %s", k.Prefix(), k.LastFour(), text)
				}
			}
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	k := apikey.New(apikey.Live, apikey.Secret, uuid.New(), uuid.New())
	other := apikey.New(apikey.Live, apikey.Secret, k.WorkspaceID, k.ID)
	if len(k.Hash()) != sha256.Size || !k.Matches(k.Hash()) || k.Matches(other.Hash()) || k.Matches(nil) {
		t.Error("Matches is wrong")
	}
	if strings.Contains(k.Text(), string(k.Hash())) {
		t.Error("the hash is in the text")
	}
}

func TestEveryChangedCharacterIsRefused(t *testing.T) {
	t.Parallel()
	text := apikey.New(apikey.Live, apikey.Secret, uuid.New(), uuid.New()).Text()
	for i := range len(text) {
		for _, c := range []byte("0aZ_ \x00\xc0") {
			if text[i] == c {
				continue
			}
			if _, err := apikey.Parse(text[:i] + string(c) + text[i+1:]); err == nil {
				t.Fatalf("accepted with character %d changed to %q", i, c)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	text := apikey.New(apikey.Live, apikey.Secret, uuid.New(), uuid.New()).Text()
	for name, s := range map[string]string{
		"nothing":                    "",
		"a prefix alone":             "gv_live_sk_",
		"a short copy":               text[:len(text)-1],
		"a trailing space":           text + " ",
		"a leading space":            " " + text,
		"upper case":                 strings.ToUpper(text),
		"lower case":                 strings.ToLower(text),
		"a Cyrillic look-alike":      strings.Replace(text, "l", "ӏ", 1),
		"a full-width character":     "ｇ" + text[1:],
		"another mode":               "gv_prod_" + text[8:],
		"the other mode's words":     "gv_test_" + text[8:],
		"the other kind's words":     text[:8] + "pk" + text[10:],
		"two keys":                   text + text,
		"another product's key":      "sk_live_0123456789abcdefghij",
		"a megabyte":                 "gv_live_sk_" + strings.Repeat("0", 1<<20),
		"a signed number":            "gv_live_sk_-" + text[12:],
		"an underscore in the ids":   "gv_live_sk__" + text[12:],
		"a zero byte":                text[:40] + "\x00" + text[41:],
		"the words of another brand": "xx" + text[2:],
	} {
		if k, err := apikey.Parse(s); err == nil {
			t.Errorf("%s: accepted as %+v", name, k)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(apikey.New(apikey.Test, apikey.Publishable, uuid.New(), uuid.New()).Text())
	f.Add("gv_live_sk_")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := apikey.Parse(s); err == nil && k.Text() != s {
			t.Fatalf("%q reads as a key whose text is %q", s, k.Text())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := apikey.New(apikey.Live, apikey.Secret, uuid.New(), uuid.New()).Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := apikey.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
