package condition_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/rules/condition"
)

const atLeastFifty = `conversion.amount >= 5000 && conversion.metadata.plan in ["pro", "team"]`

func ExampleCompile() {
	_, err := condition.Compile(atLeastFifty)
	fmt.Println(err)
	_, err = condition.Compile(`conversion.amonut >= 5000`)
	fmt.Println(err)
	_, err = condition.Compile(`conversion.amount`)
	fmt.Println(err)
	// Output:
	// <nil>
	// at character 11: undefined field 'amonut'
	// a condition is true or false, this is of type int
}

func ExampleCondition_Eval() {
	c, _ := condition.Compile(atLeastFifty)
	fmt.Println(c.Eval(condition.Fact{Amount: 5_000, Metadata: map[string]string{"plan": "pro"}}))
	fmt.Println(c.Eval(condition.Fact{Amount: 4_999, Metadata: map[string]string{"plan": "pro"}}))
	fmt.Println(c.Eval(condition.Fact{Amount: 5_000}))
	// Output:
	// true <nil>
	// false <nil>
	// false no such key: plan
}

func ExampleCache_Holds() {
	var cache condition.Cache
	fmt.Println(cache.Holds("", condition.Fact{}), cache.Holds(atLeastFifty, condition.Fact{Amount: 5_000}))
	// Output: true false
}
