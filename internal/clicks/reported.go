package clicks

import (
	"encoding/json"

	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
)

// Clicks that are reported, by a script or a server, do not go through the lane; they are judged and stored by the same rules.

// RepeatWindow is how shortly after a click another one of the same visitor and code is a repeat.
const RepeatWindow = repeatWindow

// StoredCampaign is how campaign parameters are stored; nil when there is nothing to store.
func StoredCampaign(c landing.Campaign) json.RawMessage { return campaignJSON(c.Tidy()) }
