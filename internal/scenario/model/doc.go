// Package model tells what must become of referees a second time, in few lines and without the code under test: facts are taken one
// after the other, in the order in which they occurred, and every number is worked out from the words of the design. Random lives are
// told to the engine in two random orders of arrival and to the model in none; all three must agree.
//
// There are three kinds of them. A life is one referee, whom two may have referred. A company is several who refer each other, with
// currencies, milestones and tiers that are rated again: all that does not depend on who came first. A business is a company with what
// does, caps, budgets and frozen tiers, and with payouts and redemptions; its model, the book, is told in which order facts arrived.
package model
