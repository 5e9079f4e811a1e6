// Package strictjson reads JSON that means one thing only.
//
// A validator and a decoder that disagree about a document let money slip through: encoding/json takes the last of two equal
// names, stops at the end of the first value, replaces invalid text silently and matches names without regard to case. Parse
// refuses whatever two readers could read differently, and returns the value that everything behind it uses, so that there is
// no second reader.
package strictjson

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

const (
	// MaxDepth is how many objects and arrays may be open at once.
	MaxDepth = 32
	// MaxValues bounds what a small body can grow to in memory: a mebibyte of "{}," is three hundred thousand maps.
	MaxValues = 100_000
)

// SyntaxError says why a document was refused and where.
type SyntaxError struct {
	Offset int // bytes from the start
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s (at byte %d)", e.Reason, e.Offset) }

// Parse reads one JSON document in one pass: map[string]any, []any, string, bool, nil, and json.Number for numbers.
//
// Beyond RFC 8259 it refuses: text that is not valid UTF-8, the NUL character, escapes of lone surrogates, a name twice in one
// object (compared after its escapes are resolved), bytes after the value, more than MaxDepth levels or MaxValues values,
// numbers with an exponent, and whole numbers beyond 64 bits. A fraction is let through for the contract to refuse with a
// pointer.
func Parse(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, &SyntaxError{Offset: validPrefix(data), Reason: "the text is not valid UTF-8"}
	}
	p := parser{data: data}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.data) {
		return nil, p.fail("there is more text after the JSON value")
	}
	return v, nil
}

func validPrefix(data []byte) int {
	n := 0
	for n < len(data) {
		r, size := utf8.DecodeRune(data[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

type parser struct {
	data   []byte
	pos    int
	values int
}

func (p *parser) fail(reason string) error { return &SyntaxError{Offset: p.pos, Reason: reason} }

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek skips space and gives the next byte, or 0 at the end (0 is never valid here).
func (p *parser) peek() byte {
	p.space()
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) value(depth int) (any, error) {
	if p.values++; p.values > MaxValues {
		return nil, p.fail("the JSON holds more than " + strconv.Itoa(MaxValues) + " values")
	}
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return nil, p.fail("the JSON is nested more than " + strconv.Itoa(MaxDepth) + " levels deep")
		}
		p.pos++
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '"':
		return p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return true, p.word("true")
	case c == 'f':
		return false, p.word("false")
	case c == 'n':
		return nil, p.word("null")
	case p.pos == len(p.data):
		return nil, p.fail("the JSON ends too early")
	default:
		return nil, p.fail("this is not JSON")
	}
}

func (p *parser) word(w string) error {
	if len(p.data)-p.pos < len(w) || string(p.data[p.pos:p.pos+len(w)]) != w {
		return p.fail("this is not JSON")
	}
	p.pos += len(w)
	return nil
}

func (p *parser) object(depth int) (any, error) {
	object := map[string]any{}
	if p.peek() == '}' {
		p.pos++
		return object, nil
	}
	for {
		if p.peek() != '"' {
			return nil, p.fail("a name in double quotes is missing")
		}
		start := p.pos
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			p.pos = start
			return nil, p.fail("a name appears twice in one object")
		}
		if p.peek() != ':' {
			return nil, p.fail("a colon is missing after a name")
		}
		p.pos++
		if object[name], err = p.value(depth); err != nil {
			return nil, err
		}
		if more, err := p.next('}'); !more {
			return object, err
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	array := []any{}
	if p.peek() == ']' {
		p.pos++
		return array, nil
	}
	for {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		if more, err := p.next(']'); !more {
			return array, err
		}
	}
}

// next steps over the comma before another member, or over the end of the object or array.
func (p *parser) next(end byte) (more bool, err error) {
	switch p.peek() {
	case ',':
		p.pos++
		return true, nil
	case end:
		p.pos++
		return false, nil
	default:
		return false, p.fail("a comma or the end of an object or array is missing")
	}
}
