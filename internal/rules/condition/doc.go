// Package condition decides by an expression in CEL (https://cel.dev) whether a reward rule is for a conversion.
//
// An expression sees one variable, conversion, with these fields:
//
//	type         string                kind of the conversion, such as purchase
//	source       string                who reported it
//	amount       int                   gross amount in minor units of currency, whatever was reversed since
//	currency     string                ISO 4217
//	occurred_at  timestamp             when it occurred, UTC
//	metadata     map(string, string)   what the integrator sent along
//
// and the standard functions and operators of CEL with the macros has, all, exists and exists_one. Those that make lists are not there,
// patterns of matches are written out (RE2), and nothing can be called that CEL does not define.
//
// # Bounds
//
// An expression has at most MaxLength characters and its cost, as CEL estimates it for the longest texts and the most metadata that the
// contract allows, is at most MaxCost; the same limit holds while it runs. Types are checked when it is compiled, so that a version with
// a misspelled field is never published.
//
// # What cannot be decided does not hold
//
// A name that the metadata does not have, a division by zero, an overflow, a text that is no number: each is an error of Eval, and the
// rule does not pay. As CEL has it, an error on one side of || or && does not matter when the other side decides. An expression that
// wants another answer for missing metadata asks for it: "plan" in conversion.metadata && conversion.metadata.plan == "pro".
package condition
