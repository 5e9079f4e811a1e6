package clicks

import (
	_ "embed"
	"strings"
	"testing"
)

// labelledAgents are labelled user agents: every example of the crawler list but the two that are people's (an Instagram and a Facebook
// browser), and browsers and in-app browsers of all kinds, among them phones and models whose names look like a robot's.
//
//go:embed testdata/agents.tsv
var labelledAgents string

func TestRobotKnowsLabelledAgents(t *testing.T) {
	t.Parallel()
	counts, wrong := map[string]int{}, map[string]int{}
	for line := range strings.Lines(labelledAgents) {
		label, agent, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			t.Fatalf("no label: %q", line)
		}
		counts[label]++
		if Robot(agent) != (label == "bot") {
			wrong[label]++
			t.Logf("taken for the other: %s", line)
		}
	}
	t.Logf("wrong: %d of %d robots, %d of %d people", wrong["bot"], counts["bot"], wrong["human"], counts["human"])
	for label, n := range counts {
		if n < 500 || wrong[label]*100 > n {
			t.Errorf("%d of %d wrong for %s, want 1 %% at most of at least 500", wrong[label], n, label)
		}
	}
}

func TestRobotsAreKnownByTheirOwnWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]bool{
		"":                  true,
		"  ":                true,
		"-":                 true,
		"Mozilla/5.0":       false, // little, but not nothing
		"BrandNewBot/0.1":   true,
		"some-crawler (x)":  true,
		"Thing (+http://x)": true,
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)": true,
		"WhatsApp/2.23.20.0":                                                                              true,
		"facebookexternalhit/1.1 Facebot Twitterbot/1.0":                                                  true, // a preview of iMessage
		"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)":                               true,
		"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)":           true,
		"TelegramBot (like TwitterBot)":                                                                   true,
		"Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com": true,
		strings.Repeat("x", 2000) + "bot/":                                                                false, // only the beginning is read
	} {
		if got := Robot(agent); got != want {
			t.Errorf("Robot(%.80q) = %v", agent, got)
		}
	}
}

// The literals are only a quicker way to the same answer: whatever a pattern matches must contain one of its literals.
func TestEveryPatternHasLiterals(t *testing.T) {
	t.Parallel()
	patterns, confirmed := 0, 0
	for _, list := range newCrawlerIndex(crawlerPatterns).crawlers {
		for _, c := range list {
			patterns++
			if c.confirm != nil {
				confirmed++
			}
		}
	}
	if lines := strings.Count(crawlerPatterns, "\n"); lines != 1500 || patterns < lines {
		t.Errorf("%d patterns in the file, %d in the index", lines, patterns)
	}
	if confirmed > 50 {
		t.Errorf("%d patterns are not plain text; the index is for those that are", confirmed)
	}
}

func FuzzRobot(f *testing.F) {
	f.Add("Mozilla/5.0 (Linux; Android 9; (a)(b")
	f.Fuzz(func(_ *testing.T, agent string) { Robot(agent) })
}

func BenchmarkRobot(b *testing.B) {
	const agent = "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
	for b.Loop() {
		Robot(agent)
	}
}
