package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// commit is set by the linker, see the Makefile.
var commit = "unknown"

func versionCommand() *command {
	c := newCommand("version", "", "Print the version", `
Prints the version of the program, which is that of its contract, the commit it was built from, and the schema that it needs.`)
	c.settings = false
	c.run = func(_ context.Context, p *program, args []string) error {
		if len(args) > 0 {
			return misused("too many arguments")
		}
		schema, err := store.LatestVersion()
		if err != nil {
			return err
		}
		p.say("grapevine %s, commit %s, schema %d, %s %s/%s\n", version(), commit, schema, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}
	return c
}

// version is the one of the contract: a release is a contract and a program that keeps it.
func version() string {
	var contract struct{ Info struct{ Version string } }
	if err := json.Unmarshal(gen.OpenAPIJSON, &contract); err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	return contract.Info.Version
}
