// Package validate compares a database and a contract file with what this program needs of them.
//
// What a schema must have is in schema.txt, one line a thing, read from the catalogue of a freshly migrated database; a test
// holds the two together, so the file is never edited by hand. What must not be there follows from rules: see Rules. What a
// contract must have comes from the constants of the code and from the contract that is built in.
//
// Nothing here writes to a database, but Reference, which asks for an empty one.
package validate
