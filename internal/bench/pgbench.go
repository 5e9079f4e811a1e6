package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// statement is one that a request sent, with its arguments.
type statement struct {
	sql  string
	args []any
}

// recorder is a tracer that keeps the statements of one request, by round trip.
type recorder struct {
	mu      sync.Mutex
	on      bool
	batches [][]statement
}

// TraceBatchStart implements pgx.BatchTracer.
func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on {
		r.batches = append(r.batches, nil)
	}
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on {
		last := len(r.batches) - 1
		r.batches[last] = append(r.batches[last], statement{data.SQL, data.Args})
	}
}

// TraceBatchEnd implements pgx.BatchTracer.
func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceQueryStart implements pgx.QueryTracer.
func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on {
		r.batches = append(r.batches, []statement{{data.SQL, data.Args}})
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// record runs a request and gives what it sent.
func (r *recorder) record(do func() error) ([][]statement, error) {
	r.mu.Lock()
	r.on, r.batches = true, nil
	r.mu.Unlock()
	err := do()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = false
	// A key is read again every two seconds: that belongs to no request.
	return slices.DeleteFunc(r.batches, func(trip []statement) bool { return strings.HasPrefix(trip[0].sql, "-- name: GetAPIKey") }), err
}

// script writes a request as a pgbench script: the same SQL in the same round trips, with arguments in their places. Each variant of
// the request was recorded twice. What both recordings of a variant share, and variants do not, is chosen by a random number; what
// the two recordings have different (ids, names) is made anew for every transaction, in the database, as pgbench cannot.
func script(variants [][2][][]statement) (string, error) {
	s := scripter{fresh: map[string]int{}}
	var b strings.Builder
	fmt.Fprintf(&b, "\\set r random(1, 9223372036854775807)\n\\set i random(1, %d)\n", len(variants))
	first := variants[0][0]
	for i, trip := range first {
		b.WriteString("\\startpipeline\n")
		for j, st := range trip {
			for _, v := range variants {
				for _, recording := range v {
					if len(recording) != len(first) || len(recording[i]) != len(trip) || recording[i][j].sql != st.sql {
						return "", fmt.Errorf("two recordings of the request differ in round trip %d", i)
					}
				}
			}
			sql := comment.ReplaceAllString(st.sql, "")
			for n := len(st.args); n > 0; n-- {
				pairs := make([][2]reflect.Value, len(variants))
				for k, v := range variants {
					pairs[k] = [2]reflect.Value{reflect.ValueOf(v[0][i][j].args[n-1]), reflect.ValueOf(v[1][i][j].args[n-1])}
				}
				sql = regexp.MustCompile(`\$`+strconv.Itoa(n)+`\b`).ReplaceAllLiteralString(sql, s.value(pairs))
			}
			b.WriteString(strings.Join(strings.Fields(sql), " ") + ";\n")
		}
		b.WriteString("\\endpipeline\n")
	}
	return b.String(), nil
}

var comment = regexp.MustCompile(`(?m)^\s*--.*$`)

// scripter numbers the values that every transaction makes anew.
type scripter struct{ fresh map[string]int }

// number is the same for the same value, so that what one statement makes another one finds.
func (s *scripter) number(v string) int {
	if _, ok := s.fresh[v]; !ok {
		s.fresh[v] = len(s.fresh)
	}
	return s.fresh[v]
}

// value writes an argument, of which it has both recordings of every variant.
func (s *scripter) value(pairs [][2]reflect.Value) string {
	v := pairs[0][0]
	switch {
	case !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) && v.IsNil():
		return "NULL"
	case v.Kind() == reflect.Pointer:
		return s.value(each(pairs, reflect.Value.Elem))
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = s.value(each(pairs, func(list reflect.Value) reflect.Value { return list.Index(i) }))
		}
		return "ARRAY[" + strings.Join(items, ", ") + "]::" + arrayType(v.Type().Elem())
	}
	texts, repeats, alike := make([]string, len(pairs)), true, true
	for i, p := range pairs {
		texts[i] = literal(p[0])
		repeats = repeats && texts[i] == literal(p[1])
		alike = alike && texts[i] == texts[0]
	}
	switch {
	case alike && repeats || !repeats && document(v):
		return texts[0] // of a document, only the size matters
	case repeats:
		return "(ARRAY[" + strings.Join(texts, ", ") + "])[:i]"
	case v.Type() == reflect.TypeFor[uuid.UUID]():
		return fmt.Sprintf("(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || substr(md5(:r || 'u%d'), 13))::uuid", s.number(texts[0]))
	case v.Kind() == reflect.String:
		return fmt.Sprintf("('n%d-' || :r)", s.number(texts[0]))
	case v.CanInt():
		return "(:r::bigint % 8)::smallint" // the shard of a counter
	}
	return texts[0]
}

func each(pairs [][2]reflect.Value, fn func(reflect.Value) reflect.Value) [][2]reflect.Value {
	out := make([][2]reflect.Value, len(pairs))
	for i, p := range pairs {
		out[i] = [2]reflect.Value{fn(p[0]), fn(p[1])}
	}
	return out
}

// document says which values are stored and never looked for.
func document(v reflect.Value) bool {
	return v.Kind() == reflect.Slice || v.Kind() == reflect.String && strings.HasPrefix(v.String(), "{") || v.Type() == reflect.TypeFor[time.Time]()
}

// literal writes a value as SQL. Texts go as hexadecimal digits: pgbench takes a colon for a variable.
func literal(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case uuid.UUID:
		return "'" + v.String() + "'::uuid"
	case time.Time:
		return fmt.Sprintf("to_timestamp(%d.%06d)", v.Unix(), v.Nanosecond()/1000)
	case bool:
		return strconv.FormatBool(v)
	case []byte:
		return "'\\x" + hex.EncodeToString(v) + "'::bytea"
	}
	switch v.Kind() {
	case reflect.Slice: // JSON
		return text(string(v.Bytes())) + "::jsonb"
	case reflect.String:
		return text(v.String())
	}
	return fmt.Sprint(v.Interface())
}

func text(v string) string { return "convert_from('\\x" + hex.EncodeToString([]byte(v)) + "', 'UTF8')" }

func arrayType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[uuid.UUID]():
		return "uuid[]"
	case t == reflect.TypeFor[time.Time]():
		return "date[]"
	case t.Kind() == reflect.Int64:
		return "bigint[]"
	}
	return "text[]"
}

// pgbench runs a script and gives the transactions per second.
func pgbench(ctx context.Context, url, binDir, script string, clients int, span time.Duration) (float64, error) {
	file, err := os.CreateTemp("", "grapevine-bench-*.sql")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(script); err != nil {
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	program := "pgbench"
	if binDir != "" {
		program = filepath.Join(binDir, program)
	}
	c := exec.CommandContext(ctx, program, "-n", "-M", "prepared", "-f", file.Name(), "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(max(1, int(span.Seconds()))), url)
	var out, faults bytes.Buffer
	c.Stdout, c.Stderr = &out, &faults
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, faults.String())
	}
	found := tps.FindSubmatch(out.Bytes())
	if found == nil {
		return 0, fmt.Errorf("pgbench said no rate: %s%s", out.String(), faults.String())
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)
