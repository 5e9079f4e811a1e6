// Package schema holds the tests around sql/: that the schema keeps its rules and names, that the database itself refuses what
// it must refuse, and that migrations go up and down. querylint, beside it, does the same for the statements.
package schema
