package server

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// orNull is the API's form of a value that may be missing.
func orNull[T any](v *T) nullable.Nullable[T] {
	if v == nil {
		return nullable.NewNullNullable[T]()
	}
	return nullable.NewNullableWithValue(*v)
}

// orNullTime is orNull for times, which leave in UTC.
func orNullTime(t *time.Time) nullable.Nullable[api.NullableTimestamp] {
	if t == nil {
		return nullable.NewNullNullable[api.NullableTimestamp]()
	}
	return nullable.NewNullableWithValue(t.UTC())
}

// given is the value of a nullable field; nil when it is absent or null.
func given[T any](v nullable.Nullable[T]) *T {
	value, err := v.Get()
	if err != nil {
		return nil
	}
	return &value
}

// parsedID is an id that a rule carries as text; nil for none.
func parsedID(s string) *uuid.UUID {
	id, err := uuid.Parse(s)
	if err != nil {
		return nil
	}
	return &id
}

// each turns rows into values of the API, none into an empty list.
func each[Row, Value any](rows []Row, to func(Row) Value) []Value {
	out := make([]Value, 0, len(rows))
	for _, r := range rows {
		out = append(out, to(r))
	}
	return out
}

// fromMetadata encodes metadata for the database; nil when there is none.
func fromMetadata(m *api.Metadata) json.RawMessage {
	if m == nil {
		return nil
	}
	raw, err := json.Marshal(*m)
	if err != nil {
		panic(err) // a map of strings
	}
	return raw
}

// toMetadata decodes stored metadata.
func toMetadata(raw json.RawMessage) api.Metadata {
	m := api.Metadata{}
	_ = json.Unmarshal(raw, &m) // it was encoded by fromMetadata
	return m
}

func toReason(r reason.Code) api.ReasonCode { return api.ReasonCode(r) }

// orDefault is a field's value, or the default of the contract.
func orDefault[T any](v *T, fallback T) T {
	if v == nil {
		return fallback
	}
	return *v
}

// defaultSource names facts that were reported without a source.
const defaultSource = "api"
