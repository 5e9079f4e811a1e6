package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// field is one setting: its tags, and where its value goes.
type field struct {
	env, doc, fallback, min, max, oneof string
	secret                              bool
	value                               reflect.Value
}

func fields(c *Config) []field {
	v := reflect.ValueOf(c).Elem()
	list := make([]field, v.NumField())
	for i := range list {
		tag := v.Type().Field(i).Tag
		list[i] = field{
			env: tag.Get("env"), doc: tag.Get("doc"), fallback: tag.Get("default"),
			min: tag.Get("min"), max: tag.Get("max"), oneof: tag.Get("oneof"),
			secret: tag.Get("secret") == "true", value: v.Field(i),
		}
	}
	return list
}

// fill sets every field from the environment, or to its default.
func (c *Config) fill(getenv func(string) string) []error {
	var faults []error
	for _, f := range fields(c) {
		text := strings.TrimSpace(getenv(f.env))
		if text == "" {
			text = f.fallback
		}
		if text == "" {
			continue
		}
		if err := f.set(text); err != nil {
			if f.secret {
				err = fmt.Errorf("not usable") // the parser's own words may show the value
			}
			faults = append(faults, fmt.Errorf("%s: %w", f.env, err))
		}
	}
	return faults
}

func (f field) set(text string) error {
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		if f.oneof != "" && !strings.Contains(" "+f.oneof+" ", " "+text+" ") {
			return fmt.Errorf("%q is not one of: %s", text, f.oneof)
		}
		*p = text
	case *bool:
		return parse(p, text, strconv.ParseBool)
	case *int:
		if err := parse(p, text, strconv.Atoi); err != nil {
			return err
		}
		return within(*p, f.min, f.max, strconv.Atoi)
	case *time.Duration:
		if err := parse(p, text, time.ParseDuration); err != nil {
			return err
		}
		return within(*p, f.min, f.max, time.ParseDuration)
	case *slog.Level:
		return p.UnmarshalText([]byte(text))
	case *[]netip.Prefix:
		for part := range strings.SplitSeq(text, ",") {
			var prefix netip.Prefix
			if err := parse(&prefix, strings.TrimSpace(part), netip.ParsePrefix); err != nil {
				return err
			}
			*p = append(*p, prefix.Masked())
		}
	case *[]string:
		for part := range strings.SplitSeq(text, ",") {
			*p = append(*p, strings.TrimSpace(part))
		}
	default:
		panic(fmt.Sprintf("config: no rule for %T", p))
	}
	return nil
}

func parse[T any](p *T, text string, parser func(string) (T, error)) error {
	v, err := parser(text)
	if err != nil {
		return fmt.Errorf("%q cannot be read: %w", text, err)
	}
	*p = v
	return nil
}

// within checks bounds that the tags give as text; an empty bound is none.
func within[T int | time.Duration](v T, low, high string, parser func(string) (T, error)) error {
	if bound, err := parser(low); err == nil && v < bound {
		return fmt.Errorf("%v is less than %v", v, bound)
	}
	if bound, err := parser(high); err == nil && v > bound {
		return fmt.Errorf("%v is more than %v", v, bound)
	}
	return nil
}

// text is the value as it would be set.
func (f field) text() string {
	if prefixes, ok := f.value.Interface().([]netip.Prefix); ok {
		texts := make([]string, len(prefixes))
		for i, p := range prefixes {
			texts[i] = p.String()
		}
		return strings.Join(texts, ",")
	}
	if texts, ok := f.value.Interface().([]string); ok {
		return strings.Join(texts, ",")
	}
	if f.value.IsZero() && f.value.Kind() == reflect.String {
		return ""
	}
	return fmt.Sprint(f.value.Interface())
}

// Table describes every setting, one line each, for people who read a terminal.
func Table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VARIABLE\tDEFAULT\tMEANING")
	for _, f := range fields(&Config{}) {
		fallback := f.fallback
		if fallback == "" {
			fallback = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.env, fallback, f.doc)
	}
	w.Flush() // into memory
	return text.String()
}
