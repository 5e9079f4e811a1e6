package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// keyFlags are the flags of all actions of keys; each takes those that it names.
type keyFlags struct {
	workspace, key, name, linkHost, kind, scopes string
	expires                                      time.Duration
}

func keysCommand() *command {
	c := newCommand("keys", "workspace | create | list | revoke", "Make workspaces and their API keys", `
For operators: makes and ends API keys in the database itself, also while servers run.

  workspace -name NAME [-link-host HOST]
                  make a pair of workspaces, live and test, and print a secret key of each
  create -workspace SLUG|ID [-name NAME] [-kind secret|publishable] [-scopes A,B] [-expires 2160h]
                  make one key and print it
  list [-workspace SLUG|ID]
                  list workspaces and keys; a key itself is shown only when it is made
  revoke -workspace SLUG|ID -key ID
                  end a key; running servers refuse it within 2 s

Flags come after the action.`)
	f := &keyFlags{}
	c.flags.StringVar(&f.workspace, "workspace", "", "`slug` or id of a workspace")
	c.flags.StringVar(&f.key, "key", "", "`id` of the key")
	c.flags.StringVar(&f.name, "name", "", "`name` of what is made")
	c.flags.StringVar(&f.linkHost, "link-host", "", "`host` of the links of the live workspace")
	c.flags.StringVar(&f.kind, "kind", "secret", "`secret|publishable`")
	c.flags.StringVar(&f.scopes, "scopes", "", "scopes of a secret key with commas between; empty: all (`list`)")
	c.flags.DurationVar(&f.expires, "expires", 0, "`time` until the key expires; 0: never")
	c.run = func(ctx context.Context, p *program, args []string) error {
		action, err := f.parse(c.flags, args)
		if err != nil {
			return err
		}
		return p.sessionStore(ctx, func(st *store.Store) error {
			return action(ctx, p, st)
		})
	}
	return c
}

type keyAction func(ctx context.Context, p *program, st *store.Store) error

// parse finds the action and checks what it needs, before any database is looked for.
func (f *keyFlags) parse(flags *flag.FlagSet, args []string) (keyAction, error) {
	if len(args) == 0 {
		return nil, misused("what to do is missing")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return nil, misused("%v", err)
	}
	if flags.NArg() > 0 {
		return nil, misused("%q is too much", flags.Arg(0))
	}
	switch action := args[0]; {
	case action == "list":
		return f.list, nil
	case action == "workspace" && f.name == "":
		return nil, misused("-name is missing")
	case action == "workspace":
		return f.createPair, nil
	case action != "create" && action != "revoke":
		return nil, misused("there is no %q", action)
	case f.workspace == "":
		return nil, misused("-workspace is missing")
	case action == "create":
		return f.create, nil
	case f.key == "":
		return nil, misused("-key is missing")
	}
	return f.revoke, nil
}

func (f *keyFlags) createPair(ctx context.Context, p *program, st *store.Store) error {
	var host *string
	if f.linkHost != "" {
		host = &f.linkHost
	}
	pair, err := server.CreateWorkspacePair(ctx, st, engine.New(p.logger(0)), f.name, host)
	if err != nil {
		return err
	}
	p.say("live workspace %s (%s), secret key:\n%s\n", pair.Live.Slug, pair.Live.WorkspaceID, pair.LiveKey)
	p.say("test workspace %s (%s), secret key:\n%s\n", pair.Test.Slug, pair.Test.WorkspaceID, pair.TestKey)
	return nil
}

func (f *keyFlags) create(ctx context.Context, p *program, st *store.Store) error {
	w, err := f.find(ctx, st)
	if err != nil {
		return err
	}
	n := server.NewKey{Name: f.name, Kind: apikey.Kind(f.kind)}
	if n.Name == "" {
		n.Name = "Made by the operator"
	}
	for scope := range strings.SplitSeq(f.scopes, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			n.Scopes = append(n.Scopes, scope)
		}
	}
	if f.expires != 0 {
		at := time.Now().Add(f.expires)
		n.ExpiresAt = &at
	}
	text, err := server.CreateKey(ctx, st, engine.New(p.logger(0)), w, n)
	if err != nil {
		return err
	}
	p.say("%s\n", text)
	return nil
}

func (f *keyFlags) revoke(ctx context.Context, p *program, st *store.Store) error {
	w, err := f.find(ctx, st)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(f.key)
	if err != nil {
		return fmt.Errorf("%q is not the id of a key; `grapevine keys list` shows them", f.key)
	}
	if err := server.RevokeKey(ctx, st, engine.New(p.logger(0)), w, id); err != nil {
		return err
	}
	p.say("key %s is revoked\n", id)
	return nil
}

func (f *keyFlags) list(ctx context.Context, p *program, st *store.Store) error {
	workspaces, err := db.New().ListAllWorkspaces(ctx, st.DB(uuid.Nil))
	if err != nil {
		return err
	}
	if f.workspace != "" {
		w, err := f.find(ctx, st)
		if err != nil {
			return err
		}
		workspaces = []db.Workspace{w}
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WORKSPACE\tMODE\tNAME\tKEY\tKIND\tTEXT\tKEY NAME\tSTATE\tSCOPES")
	for _, w := range workspaces {
		if err := listKeys(ctx, table, st, w); err != nil {
			return err
		}
	}
	return table.Flush()
}

// keyPage is how many keys are read at a time.
const keyPage = 1000

func listKeys(ctx context.Context, table io.Writer, st *store.Store, w db.Workspace) error {
	page := db.ListAPIKeysParams{WorkspaceID: w.WorkspaceID, PageLimit: keyPage}
	for {
		keys, err := db.New().ListAPIKeys(ctx, st.DB(w.WorkspaceID), page)
		if err != nil {
			return err
		}
		for _, k := range keys {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s…%s\t%s\t%s\t%s\n", w.Slug, w.Mode, w.Name, k.ID, k.Kind, k.Prefix, k.LastFour, k.Name,
				keyState(k, time.Now()), strings.Join(k.Scopes, ","))
		}
		if len(keys) < keyPage {
			return nil
		}
		page.Before = &keys[keyPage-1].ID
	}
}

func keyState(k db.APIKey, now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked " + k.RevokedAt.UTC().Format(time.DateOnly)
	case k.ExpiresAt == nil:
		return "valid"
	case k.ExpiresAt.After(now):
		return "until " + k.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return "expired " + k.ExpiresAt.UTC().Format(time.DateOnly)
}

// find gives the workspace that the flag names.
func (f *keyFlags) find(ctx context.Context, st *store.Store) (db.Workspace, error) {
	all, err := db.New().ListAllWorkspaces(ctx, st.DB(uuid.Nil))
	if err != nil {
		return db.Workspace{}, err
	}
	for _, w := range all {
		if f.workspace == w.Slug || f.workspace == w.WorkspaceID.String() {
			return w, nil
		}
	}
	return db.Workspace{}, errors.New("there is no such workspace; `grapevine keys list` shows them")
}
