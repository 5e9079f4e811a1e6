// Package model tells what must become of a referee a second time, in few lines and without the code under test: facts are taken one
// after the other, in the order in which they occurred, and every number is worked out from the words of the design. Random lives are
// told to the engine in two random orders of arrival and to the model in none; all three must agree.
package model
