package clicks

import (
	"net/http"
	"strings"
)

// Class is who stands behind a click.
type Class string

// The classes, as the contract and the schema spell them.
const (
	Human    Class = "human"
	Bot      Class = "bot"
	Prefetch Class = "prefetch" // nobody has seen the page yet, and perhaps nobody will
	Repeat   Class = "repeat"   // the visitor had clicked the same code a moment before
)

// purposes are the headers in which browsers say that they only look ahead, in the canonical spelling of net/http.
var purposes = []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"}

// Classify judges a request by its method and headers. It never says Repeat, which takes a memory. Nothing but the headers that
// browsers themselves send can change the class: there is no switch for visitors.
func Classify(method string, header http.Header) Class {
	return classify(Robot(header.Get("User-Agent")), method, header)
}

func classify(robot bool, method string, header http.Header) Class {
	if robot {
		return Bot
	}
	if method == http.MethodHead {
		return Prefetch
	}
	for _, name := range purposes {
		for _, value := range header[name] {
			value = strings.ToLower(value)
			if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
				return Prefetch
			}
		}
	}
	return Human
}

// ClassifyAgent judges a reported click, of which only the agent is known.
func ClassifyAgent(agent string) Class {
	if Robot(agent) {
		return Bot
	}
	return Human
}
