package problem

import (
	"net/http"
	"slices"
	"time"
)

// The catalogue. A new problem is one line here and one value of the contract's ProblemCode enum; a test ties the two.
var (
	MalformedRequest      = entry("malformed_request", http.StatusBadRequest, "The request cannot be read")
	IdempotencyKeyMissing = entry("idempotency_key_missing", http.StatusBadRequest, "An Idempotency-Key header is required")

	Unauthenticated = entry("unauthenticated", http.StatusUnauthorized, "A valid API key is required")
	Forbidden       = entry("forbidden", http.StatusForbidden, "The API key does not allow this")

	NotFound         = entry("not_found", http.StatusNotFound, "There is no such resource")
	MethodNotAllowed = entry("method_not_allowed", http.StatusMethodNotAllowed, "The resource does not support this method")

	Conflict            = entry("conflict", http.StatusConflict, "The request conflicts with what is stored")
	RequestInProgress   = entry("request_in_progress", http.StatusConflict, "An earlier request is still being worked on")
	StateNotAllowed     = entry("state_not_allowed", http.StatusConflict, "The resource's state does not allow this")
	CodeTaken           = entry("code_taken", http.StatusConflict, "The code is taken")
	CodeLimit           = entry("code_limit", http.StatusConflict, "The participant has as many codes as the program allows")
	CycleDetected       = entry("cycle_detected", http.StatusConflict, "The referral would close a circle")
	ParticipantExists   = entry("participant_exists", http.StatusConflict, "A participant with this external id exists")
	InsufficientBalance = entry("insufficient_balance", http.StatusConflict, "The participant does not have that much available")
	BalanceOutstanding  = entry("balance_outstanding", http.StatusConflict, "The participant is owed something")

	PreconditionFailed = entry("precondition_failed", http.StatusPreconditionFailed, "The resource has changed since it was read")

	PayloadTooLarge      = entry("payload_too_large", http.StatusRequestEntityTooLarge, "The request body is too large")
	URITooLong           = entry("uri_too_long", http.StatusRequestURITooLong, "The request's address is too long")
	UnsupportedMediaType = entry("unsupported_media_type", http.StatusUnsupportedMediaType, "The request body's media type is not supported")

	ValidationFailed          = entry("validation_failed", http.StatusUnprocessableEntity, "The request does not meet the contract")
	IdempotencyKeyReuse       = entry("idempotency_key_reuse", http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request")
	AmountNotAllowed          = entry("amount_not_allowed", http.StatusUnprocessableEntity, "The amount is not allowed")
	CurrencyMismatch          = entry("currency_mismatch", http.StatusUnprocessableEntity, "The currency does not match")
	OccurredAtOutOfRange      = entry("occurred_at_out_of_range", http.StatusUnprocessableEntity, "The time of the fact is too far back or ahead")
	UnknownReference          = entry("unknown_reference", http.StatusUnprocessableEntity, "The request names something that does not exist")
	DestinationNotAllowed     = entry("destination_not_allowed", http.StatusUnprocessableEntity, "The destination is not among the program's hosts")
	ReversalExceedsConversion = entry("reversal_exceeds_conversion", http.StatusUnprocessableEntity, "The reversal is larger than what is left of the conversion")
	RulesInvalid              = entry("rules_invalid", http.StatusUnprocessableEntity, "The program's rules are not valid")

	PreconditionRequired = entry("precondition_required", http.StatusPreconditionRequired, "An If-Match header is required")
	RateLimited          = entry("rate_limited", http.StatusTooManyRequests, "Too many requests")
	HeadersTooLarge      = entry("headers_too_large", http.StatusRequestHeaderFieldsTooLarge, "The request's headers are too large")

	Internal = entry("internal", http.StatusInternalServerError, "Something went wrong on our side")

	// The three below ask the caller to repeat the same request with the same Idempotency-Key.
	Overloaded     = entry("overloaded", http.StatusServiceUnavailable, "The service is busy").After(time.Second)
	OutcomeUnknown = entry("outcome_unknown", http.StatusServiceUnavailable, "It is not known whether the request took effect").After(time.Second)
	Unavailable    = entry("unavailable", http.StatusServiceUnavailable, "The service is not available at the moment").After(2 * time.Second)
)

// All returns the whole catalogue, in the order above, for tests and documentation.
func All() []*Error {
	return slices.Clone([]*Error{
		MalformedRequest, IdempotencyKeyMissing, Unauthenticated, Forbidden, NotFound, MethodNotAllowed,
		Conflict, RequestInProgress, StateNotAllowed, CodeTaken, CodeLimit, CycleDetected, ParticipantExists,
		InsufficientBalance, BalanceOutstanding, PreconditionFailed, PayloadTooLarge, URITooLong, UnsupportedMediaType, ValidationFailed,
		IdempotencyKeyReuse,
		AmountNotAllowed, CurrencyMismatch, OccurredAtOutOfRange, UnknownReference, DestinationNotAllowed,
		ReversalExceedsConversion, RulesInvalid, PreconditionRequired, RateLimited, HeadersTooLarge, Internal,
		Overloaded, OutcomeUnknown, Unavailable,
	})
}

func entry(code Code, status int, title string) *Error {
	return &Error{Code: code, Status: status, Title: title}
}
