// Package house holds the house rules that a compiler does not. It has no code, only tests.
//
// Imports point downwards, from the edges (cmd, server, worker) over the engine to the store, the generated queries and the
// pure rules, which know nothing but each other and the standard library. HTTP words stop at the server, Echo with them,
// so that another framework is a change of one package. Tests may import what they need.
//
// The rules look at no clock, and every formula is told with its units and an example that is a test.
package house
