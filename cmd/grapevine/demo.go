package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/config"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const demoCode = "ALICE-2026"

// demoState is what the next start needs to know of the demo workspace. It holds a secret key, hence the mode of its file.
type demoState struct {
	Key       string    `json:"key"`
	Slug      string    `json:"slug"`
	ProgramID uuid.UUID `json:"program_id"` // zero until everything is there
}

// demo makes the demo workspace unless it is there, and prints what to type next.
func (p *program) demo(ctx context.Context, cfg config.Config, d *database, i *instance) error {
	path, err := demoFile(cfg, d)
	if err != nil {
		return err
	}
	state, err := readDemo(ctx, path, i.store)
	if err != nil {
		return err
	}
	if state.Key == "" {
		pair, err := server.CreateWorkspacePair(ctx, i.store, i.engine, "Demo", nil)
		if err != nil {
			return fmt.Errorf("make the demo workspace: %w", err)
		}
		state = demoState{Key: pair.TestKey, Slug: pair.Test.Slug}
		if err := state.write(path); err != nil {
			return err
		}
	}
	local := "http://" + reachable(i.listener.Addr()) // the public address may not lead here yet
	if state.ProgramID == uuid.Nil {
		if state.ProgramID, err = fillDemo(ctx, local, state.Key); err != nil {
			return fmt.Errorf("fill the demo workspace: %w", err)
		}
		if err := state.write(path); err != nil {
			return err
		}
	}
	p.welcome(i.url, path, state)
	return nil
}

// demoFile is beside the data, so that both go together.
func demoFile(cfg config.Config, d *database) (string, error) {
	dir := cfg.DataDir
	if d.server != nil {
		dir = filepath.Dir(d.server.Dir())
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "demo.json"), os.MkdirAll(dir, 0o755)
}

// readDemo gives the state of an earlier start, or none when its key is not one of this database.
func readDemo(ctx context.Context, path string, st *store.Store) (state demoState, err error) {
	state, err = parseDemo(path)
	if errors.Is(err, os.ErrNotExist) {
		return demoState{}, nil
	}
	if err != nil {
		return demoState{}, err
	}
	key, err := apikey.Parse(state.Key)
	if err != nil {
		return demoState{}, fmt.Errorf("%s holds no key; remove it to get a new demo workspace", path)
	}
	row, err := db.New().GetAPIKeyWithWorkspace(ctx, st.DB(key.WorkspaceID), db.GetAPIKeyWithWorkspaceParams{WorkspaceID: key.WorkspaceID, ID: key.ID})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return demoState{}, nil
	case err != nil:
		return demoState{}, err
	case !key.Matches(row.APIKey.SecretHash) || row.APIKey.RevokedAt != nil:
		return demoState{}, nil
	}
	return state, nil
}

func parseDemo(path string) (state demoState, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return demoState{}, err
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return demoState{}, fmt.Errorf("%s: %w; remove it to get a new demo workspace", path, err)
	}
	return state, nil
}

// write replaces the file as a whole.
func (s demoState) write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// fillDemo makes the program and its referrers like any integrator. Its idempotency keys are fixed: should it be interrupted, the next
// start goes on where this one ended.
func fillDemo(ctx context.Context, url, key string) (uuid.UUID, error) {
	c, err := client.New(url, key)
	if err != nil {
		return uuid.Nil, err
	}
	created, err := c.CreateProgramWithResponse(ctx, &client.CreateProgramParams{IdempotencyKey: "demo-program"}, demoProgram())
	if err != nil {
		return uuid.Nil, err
	}
	id := created.JSON201.ID
	_, err = c.ActivateProgramWithResponse(ctx, id, &client.ActivateProgramParams{IdempotencyKey: "demo-activate"})
	if err != nil {
		return uuid.Nil, err
	}
	for person, code := range map[string]string{"alice": demoCode, "carol": "CAROL-2026"} {
		_, err := c.CreateParticipantWithResponse(ctx, &client.CreateParticipantParams{IdempotencyKey: "demo-" + person}, client.NewParticipant{ExternalID: person})
		if err != nil {
			return uuid.Nil, err
		}
		_, err = c.CreateCodeWithResponse(ctx, &client.CreateCodeParams{IdempotencyKey: "demo-code-" + person}, client.NewCode{
			ProgramID: id, ParticipantExternalID: person, Value: &code,
		})
		if err != nil {
			return uuid.Nil, err
		}
	}
	return id, nil
}

func demoProgram() client.NewProgram {
	return client.NewProgram{Name: "Demo", Currency: "USD", LandingURL: "https://www.acme.example/welcome", Rules: storyRules()}
}

// welcome tells a person who has just started the server what to do with it.
func (p *program) welcome(url, path string, s demoState) {
	const post = `curl -s %s/v1/%s \
  -H 'Authorization: Bearer %s' \
  -H 'Idempotency-Key: %s' \
  -H 'Content-Type: application/json' \
  -d '%s'

`
	p.say(`
Grapevine answers at %[1]s

  The contract      %[1]s/docs
  Secret test key   %[2]s
                    kept in %[3]s; remove the folder to begin anew

A program is active: 20 %% of every purchase for the referrer, 10.00 USD of credit for the friend. Type next:

# 1. A visitor follows Alice's link, and is sent on with the id of a click that is stored
curl -s -o /dev/null -w '%%{redirect_url}\n' -A 'Mozilla/5.0' %[1]s/r/%[4]s/%[5]s

# 2. Bob signs up with her code: who gets him, and why
`, url, s.Key, path, s.Slug, demoCode)
	p.say(post, url, "signups", s.Key, "demo-signup", fmt.Sprintf(
		`{"program_id": %q, "external_id": "signup-1", "referee_external_id": "bob", "code": "alice 2026"}`, s.ProgramID))
	p.say("# 3. Bob buys for 99.00: what both of them earn\n"+post, url, "conversions", s.Key, "demo-purchase", fmt.Sprintf(
		`{"program_id": %q, "referee_external_id": "bob", "external_id": "order-1", "type": "purchase", "amount": 9900, "currency": "USD"}`, s.ProgramID))
}
