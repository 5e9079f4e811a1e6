// Package scenario holds the situations of the product as tests: a real server on a real database, spoken to over HTTP, with
// every request and answer held against the contract. After each situation the standing assertions hold: the books balance,
// decisions replay, and a rerun of the rules finds nothing to change.
package scenario
