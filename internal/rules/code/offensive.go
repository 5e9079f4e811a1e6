package code

import "strings"

// leet undoes the digits that stand for letters.
var leet = strings.NewReplacer("0", "O", "1", "I", "3", "E", "4", "A", "5", "S", "7", "T", "8", "B", "9", "G")

// words are refused anywhere in a vanity code. Words that honest names hold (COCK in PEACOCK, RAPE in GRAPE) are left out.
var words = []string{
	"ASSHOLE", "BASTARD", "BITCH", "CUNT", "FOTZE", "FUCK", "FVCK", "HITLER", "KKK", "NAZI", "NIGGA", "NIGGER", "PENIS",
	"PUSSY", "SCHEISS", "SHIT", "SLUT", "WHORE", "WICHS",
}

// consonants are what is left of such words in a generated code, whose alphabet has no vowels.
var consonants = []string{
	"BTCH", "CNT", "DCK", "FCK", "FGT", "FKK", "FK", "FVCK", "HTLR", "KKK", "KNT", "NGG", "NZ", "PRN", "PSSY", "SHT", "SCHSS",
	"SS", "TWT", "WHR",
}

func contains(folded string, list []string) bool {
	plain := leet.Replace(folded)
	for _, w := range list {
		if strings.Contains(folded, w) || strings.Contains(plain, w) {
			return true
		}
	}
	return false
}
