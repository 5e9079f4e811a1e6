package strictjson

import (
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func (p *parser) number() (any, error) {
	start, whole := p.pos, true
	if p.data[p.pos] == '-' {
		p.pos++
	}
	first := p.pos
	if !p.digits() || p.data[first] == '0' && p.pos-first > 1 {
		return nil, p.fail("this is not a JSON number")
	}
	if p.at('.') {
		whole = false
		p.pos++
		if !p.digits() {
			return nil, p.fail("this is not a JSON number")
		}
	}
	if p.at('e') || p.at('E') {
		return nil, p.fail("numbers with an exponent are not accepted")
	}
	literal := string(p.data[start:p.pos])
	if whole {
		if _, err := strconv.ParseInt(literal, 10, 64); err != nil {
			p.pos = start
			return nil, p.fail("the number does not fit in 64 bits")
		}
	}
	return json.Number(literal), nil
}

func (p *parser) at(c byte) bool { return p.pos < len(p.data) && p.data[p.pos] == c }

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.data) && p.data[p.pos] >= '0' && p.data[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

// text reads a string; the position is on its opening quote.
func (p *parser) text() (string, error) {
	p.pos++
	start := p.pos
	var out []byte // nil until the first escape: most strings are copied once, as they are
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			tail := p.data[start:p.pos]
			p.pos++
			if out == nil {
				return string(tail), nil
			}
			return string(append(out, tail...)), nil
		case c < ' ':
			return "", p.fail("a control character in a string must be escaped")
		case c == '\\':
			out = append(out, p.data[start:p.pos]...)
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			start = p.pos
		default:
			p.pos++
		}
	}
	return "", p.fail("a string is not closed")
}

var shortEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads one escape sequence, both halves of a surrogate pair included; the position is on its backslash.
func (p *parser) escape() (rune, error) {
	if p.pos+1 == len(p.data) {
		return 0, p.fail("a string is not closed")
	}
	c := p.data[p.pos+1]
	if r, ok := shortEscapes[c]; ok {
		p.pos += 2
		return r, nil
	}
	r, ok := p.unicodeEscape(p.pos)
	switch {
	case !ok:
		return 0, p.fail("this is not a JSON escape")
	case r == 0:
		return 0, p.fail("the NUL character is not accepted")
	case utf16.IsSurrogate(r):
		low, ok := p.unicodeEscape(p.pos + 6)
		pair := utf16.DecodeRune(r, low)
		if !ok || pair == utf8.RuneError {
			return 0, p.fail("a surrogate escape has no partner")
		}
		p.pos += 12
		return pair, nil
	default:
		p.pos += 6
		return r, nil
	}
}

// unicodeEscape reads \uXXXX at the given position without moving.
func (p *parser) unicodeEscape(at int) (rune, bool) {
	if at+6 > len(p.data) || p.data[at] != '\\' || p.data[at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range p.data[at+2 : at+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
