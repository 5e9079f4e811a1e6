package clicks

import (
	"strings"
	"sync"
)

const (
	// mostAgents bounds one of two generations of remembered agents; their texts are some 2 MB.
	mostAgents = 10_000
	// longestAgent is how long an agent may be to be remembered.
	longestAgent = 300
)

// agents remembers which agents are robots': there are few, and judging one takes as long as everything else that a click needs
// of the processor. It forgets by generations, like repeats.
type agents struct {
	mu           sync.RWMutex
	young, older map[string]bool
}

func newAgents() *agents { return &agents{young: map[string]bool{}} }

// robot is Robot with a memory.
func (a *agents) robot(agent string) bool {
	a.mu.RLock()
	robot, known := a.young[agent]
	a.mu.RUnlock()
	if known {
		return robot
	}
	if len(agent) > longestAgent {
		return Robot(agent)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if robot, known = a.older[agent]; !known {
		robot = Robot(agent)
	}
	if len(a.young) >= mostAgents {
		a.older, a.young = a.young, make(map[string]bool, mostAgents/4)
	}
	a.young[strings.Clone(agent)] = robot // the agent is a part of the request's head, which must not stay
	return robot
}
