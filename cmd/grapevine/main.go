// Command grapevine is the server and the tools of its operator; `grapevine help` lists them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/grapevine-referrals/grapevine/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// program is what every sub-command gets of the world.
type program struct {
	env            func(string) string
	stdout, stderr io.Writer
}

// command is a sub-command. What it prints for people and scripts goes to stdout, logs and faults to stderr.
type command struct {
	name      string
	arguments string // after the flags
	summary   string
	help      string
	settings  bool // whether the environment says how it works
	flags     *flag.FlagSet
	run       func(ctx context.Context, p *program, args []string) error
}

func newCommand(name, arguments, summary, help string) *command {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says what was wrong, and where to read on
	return &command{name: name, arguments: arguments, summary: summary, help: help, settings: true, flags: flags}
}

func commands() []*command {
	return []*command{
		serveCommand(), migrateCommand(), keysCommand(), exampleCommand(), conformCommand(), validateCommand(), doctorCommand(), versionCommand(),
	}
}

// misuse is a fault of the command line.
type misuse struct{ text string }

func (m misuse) Error() string { return m.text }

func misused(format string, args ...any) error { return misuse{fmt.Sprintf(format, args...)} }

// errFound ends a command that has told everything already and whose answer is "no".
var errFound = errors.New("found something")

// run is the program: 0 is success, 1 failure, 2 a command line that cannot be understood.
func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	p := &program{env: env, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		p.overview(stderr)
		return 2
	}
	name, rest := args[0], args[1:]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		return p.helpOn(rest)
	}
	c := find(name)
	if c == nil {
		fmt.Fprintf(stderr, "grapevine: there is no command %q; `grapevine help` lists them\n", name)
		return 2
	}
	switch err := c.flags.Parse(rest); {
	case errors.Is(err, flag.ErrHelp):
		c.printHelp(stdout)
		return 0
	case err != nil:
		return p.failed(c, misuse{err.Error()})
	}
	return p.failed(c, c.run(ctx, p, c.flags.Args()))
}

func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (p *program) failed(c *command, err error) int {
	_, wrong := errors.AsType[misuse](err)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return 1
	case wrong:
		fmt.Fprintf(p.stderr, "grapevine %s: %v; `grapevine help %s` tells how\n", c.name, err, c.name)
		return 2
	default:
		fmt.Fprintf(p.stderr, "grapevine %s: %v\n", c.name, err)
		return 1
	}
}

func (p *program) helpOn(args []string) int {
	if len(args) == 0 {
		p.overview(p.stdout)
		return 0
	}
	c := find(args[0])
	if c == nil {
		fmt.Fprintf(p.stderr, "grapevine: there is no command %q\n", args[0])
		return 2
	}
	c.printHelp(p.stdout)
	return 0
}

func (p *program) overview(w io.Writer) {
	fmt.Fprint(w, "Grapevine keeps the whole life of a referral: codes, clicks, signups, conversions, rewards and their reversal.\n\nUsage: grapevine <command>\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(table, "  %s\t%s\n", c.name, c.summary)
	}
	fmt.Fprintf(table, "  %s\t%s\n", "help", "Tell more about a command: grapevine help serve")
	_ = table.Flush() // nobody is there to be told when the terminal is gone
}

func (c *command) printHelp(w io.Writer) {
	usage := "grapevine " + c.name
	hasFlags := false
	c.flags.VisitAll(func(*flag.Flag) { hasFlags = true })
	if hasFlags {
		usage += " [flags]"
	}
	if c.arguments != "" {
		usage += " " + c.arguments
	}
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", usage, strings.TrimSpace(c.help))
	if hasFlags {
		fmt.Fprint(w, "\nFlags:\n")
		c.flags.SetOutput(w)
		c.flags.PrintDefaults()
	}
	if c.settings {
		fmt.Fprintf(w, "\nEnvironment:\n%s", config.Table())
	}
}

// say writes to the person or the script that called.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.stdout, format, args...) }
