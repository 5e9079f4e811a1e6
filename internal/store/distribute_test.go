package store

import (
	"reflect"
	"testing"
)

func TestWhatOthersReferToIsDistributedFirst(t *testing.T) {
	t.Parallel()
	key := func(to string) foreignKey { return foreignKey{Name: "to_" + to, To: to} }
	for name, c := range map[string]struct {
		tables []spread
		want   []step
		fails  bool
	}{
		"nothing to do": {tables: []spread{{"a", 1, nil}, {"b", 1, []foreignKey{key("a")}}}},
		"a chain": {
			tables: []spread{{"a", 0, []foreignKey{key("b")}}, {"b", 0, []foreignKey{key("c")}}, {"c", 0, nil}},
			want:   []step{{"c", nil}, {"b", nil}, {"a", nil}},
		},
		"a new table beside those that are there": {
			tables: []spread{{"a", 3, nil}, {"b", 0, []foreignKey{key("a")}}},
			want:   []step{{"b", nil}},
		},
		"a circle": {
			tables: []spread{{"a", 0, []foreignKey{key("b"), key("c")}}, {"b", 0, []foreignKey{key("a")}}, {"c", 0, nil}},
			want:   []step{{"c", nil}, {"a", []foreignKey{key("b")}}, {"b", nil}},
		},
		"a key to what has no workspace": {tables: []spread{{"a", 0, []foreignKey{key("elsewhere")}}}, fails: true},
	} {
		got, err := toDistribute(c.tables)
		if (err != nil) != c.fails || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestTablesBelongTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tables []spread
		want   []string
	}{
		"all in one group":       {tables: []spread{{"a", 2, nil}, {"b", 2, nil}}},
		"one is not distributed": {tables: []spread{{"a", 2, nil}, {"b", 0, nil}}, want: []string{"b"}},
		"one is elsewhere":       {tables: []spread{{"a", 2, nil}, {"b", 3, nil}}, want: []string{"b"}},
		"none is":                {tables: []spread{{"a", 0, nil}, {"b", 0, nil}}, want: []string{"a", "b"}},
	} {
		if got := misplaced(c.tables); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
