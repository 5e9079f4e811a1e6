package chain_test

import (
	"fmt"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/chain"
)

// first is an event of the workspace with the id 0.
var first = chain.Event{
	Type: "reward.granted", SubjectType: "reward", Data: []byte(`{"granted": 2000}`), CreatedAt: time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC),
}

func ExampleGenesis() {
	fmt.Printf("%x\n", chain.Genesis([16]byte{}))
	// Output: 5eb04228ede02dee6e16331b09785154a85594bdc77d1d6030c2dba6698adcc9
}

func ExampleNext() {
	fmt.Printf("%x\n", chain.Next(chain.Genesis([16]byte{}), first))
	// Output: 48358befdca10191d3d02941b2b179fb81b618e9a12bf63667da9e7c494d9c70
}

func ExampleNoteDigest() {
	fmt.Printf("%x\n", chain.NoteDigest([]byte("salt"), "For the trouble."))
	// Output: a524e7f6440aba224e703701a4c307b4cc18d6083f959af37d73ee4258e06cfd
}

// Somebody makes 2,000 to 9,000 in the first of two events.
func ExampleWalk_Step() {
	start := chain.Walk{Hash: chain.Genesis([16]byte{})}
	one := chain.Next(start.Hash, first)
	two := chain.Next(one, first)
	walk := start
	fmt.Println(walk.Step(chain.Link{Seq: 1, Event: &first, Hash: one[:]}))
	fmt.Println(walk.Step(chain.Link{Seq: 2, Event: &first, Hash: two[:]}))
	fmt.Println("verified up to", walk.Seq)

	forged := first
	forged.Data = []byte(`{"granted": 9000}`)
	walk = start
	fmt.Println(walk.Step(chain.Link{Seq: 1, Event: &forged, Hash: one[:]}))
	fmt.Println("verified up to", walk.Seq)
	// Output:
	//  0
	//  0
	// verified up to 2
	// changed 1
	// verified up to 0
}
