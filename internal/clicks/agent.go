package clicks

import (
	_ "embed"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// crawlerPatterns are the patterns of the npm package crawler-user-agents 1.60.0, one a line, case-sensitive; its licence is in
// crawlers.LICENSE. A newer list is a newer file.
//
//go:embed crawlers.txt
var crawlerPatterns string

// mostAgentBytes bounds what is read of an agent: what a browser says of itself is shorter.
const mostAgentBytes = 1000

// crawler is a pattern as it is looked for: by a literal that the pattern cannot match without, and then, unless the literal is
// all there is to it, by the pattern itself.
type crawler struct {
	needle  string
	confirm *regexp.Regexp
	app     bool // see apps
}

// crawlerIndex finds the patterns whose needle begins at a place of an agent. One expression joined of 1,500 patterns would take
// milliseconds for each agent; this takes microseconds, so that no memory of past agents is needed either.
type crawlerIndex struct {
	starts   [1 << 16 / 64]uint64 // which pairs of bytes any needle begins with
	crawlers map[[3]byte][]crawler
}

var crawlers = sync.OnceValue(func() *crawlerIndex { return newCrawlerIndex(crawlerPatterns) })

func newCrawlerIndex(patterns string) *crawlerIndex {
	index := &crawlerIndex{crawlers: map[[3]byte][]crawler{}}
	for pattern := range strings.Lines(patterns) {
		pattern = strings.TrimSuffix(pattern, "\n")
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			panic(err) // the file is part of the program, and a test reads it
		}
		needles, exact := literals(tree)
		var confirm *regexp.Regexp
		if !exact {
			confirm = regexp.MustCompile(pattern)
		}
		for _, needle := range needles {
			index.add(crawler{needle: needle, confirm: confirm, app: apps[needle]})
		}
	}
	return index
}

func (x *crawlerIndex) add(c crawler) {
	n := c.needle
	pair := uint16(n[0])<<8 | uint16(n[1])
	x.starts[pair/64] |= 1 << (pair % 64)
	key := [3]byte{n[0], n[1], n[2]}
	x.crawlers[key] = append(x.crawlers[key], c)
}

// match reports whether a pattern is found in agent; patterns that name an app do not count for one that people browse with.
func (x *crawlerIndex) match(agent string, app bool) bool {
	for i := 0; i+3 <= len(agent); i++ {
		pair := uint16(agent[i])<<8 | uint16(agent[i+1])
		if x.starts[pair/64]&(1<<(pair%64)) == 0 {
			continue
		}
		for _, c := range x.crawlers[[3]byte{agent[i], agent[i+1], agent[i+2]}] {
			if strings.HasPrefix(agent[i:], c.needle) && (!c.app || !app) && (c.confirm == nil || c.confirm.MatchString(agent)) {
				return true
			}
		}
	}
	return false
}

// literals gives texts one of which is part of whatever re matches, and whether re matches nothing but these texts.
func literals(re *syntax.Regexp) (texts []string, exact bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, re.Flags&syntax.FoldCase == 0
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1] && len(texts) < 4; r++ {
				texts = append(texts, string(r))
			}
		}
		return texts, len(texts) < 4 // more are no help
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpAlternate:
		exact = true
		for _, sub := range re.Sub {
			more, ok := literals(sub)
			texts, exact = append(texts, more...), exact && ok
		}
		return texts, exact
	case syntax.OpConcat:
		return joined(re.Sub)
	}
	return []string{""}, false
}

// joined is literals for a sequence: the best run of parts that are exact, a run being the better the longer its shortest text.
func joined(parts []*syntax.Regexp) (best []string, exact bool) {
	exact = true
	run := []string{""}
	for _, part := range parts {
		texts, ok := literals(part)
		if !ok {
			best, run, exact = better(best, run), []string{""}, false
			best = better(best, texts)
			continue
		}
		var longer []string
		for _, head := range run {
			for _, tail := range texts {
				longer = append(longer, head+tail)
			}
		}
		run = longer
	}
	return better(best, run), exact
}

func better(a, b []string) []string {
	if shortest(b) > shortest(a) {
		return b
	}
	return a
}

func shortest(texts []string) int {
	if len(texts) == 0 {
		return -1
	}
	n := len(texts[0])
	for _, t := range texts[1:] {
		n = min(n, len(t))
	}
	return n
}

// apps are patterns of the list that stand in the agents of people too: apps that open links in a browser of their own. Two of
// them are nothing but that: what Meta's apps add, and a build of Android.
var apps = map[string]bool{
	"MetaIAB Facebook": true, "AP3A.240617.008": true,
	"Tumblr/": true, "WhatsApp": true, "Viber": true, "Bluesky/": true, "Goodreads": true, "Instapaper/": true, "Feedly": true,
	"inoreader": true, "NewsBlur": true, "Notion/": true, "Asana/": true, "Overcast/": true, "PocketCasts/": true, "PayPal/": true,
	"mail.ru": true, "HubSpot": true, "Mastodon": true, "Daum/": true, "Valve/Steam": true,
}

// Words by which robots that no list has yet name themselves, in lower case; "bot" is treated apart.
var crawlerWords = []string{"crawler", "spider", "scraper", "+http", "headless", "phantomjs"}

// Programs that fetch and are no browsers, by how their agents begin, as far as the list lacks them.
var fetchers = []string{
	"Java/", "Dart/", "Dalvik/", "PostmanRuntime/", "insomnia/", "libcurl/", "Ruby", "rest-client/", "GuzzleHttp/", "Python/",
	"python-", "PHP/", "Faraday ", "got ", "undici", "node", "Deno/", "Bun/", "reqwest/", "ureq/", "HTTPie/", "CFNetwork/", "perl",
	"WinHttp", "PowerShell/",
}

// androidDevice is the comment in which an Android browser names device and build: brands and models may be called anything.
var androidDevice = regexp.MustCompile(`\(Linux; (?:U; |arm_64; )?Android [^()]*(?:\([^()]*\)[^()]*)*\)`)

// Robot reports whether a user agent is one of a program rather than of a person's browser. No agent at all is a program's.
func Robot(agent string) bool {
	agent = strings.TrimSpace(agent[:min(len(agent), mostAgentBytes)])
	if agent == "" || agent == "-" {
		return true
	}
	for _, name := range fetchers {
		if strings.HasPrefix(agent, name) {
			return true
		}
	}
	if strings.Contains(agent, "Android") {
		agent = withoutDevice(agent)
	}
	return crawlers().match(agent, inApp(agent)) || namesItself(strings.ToLower(agent))
}

// withoutDevice removes the comment of an Android browser, unless a robot put its own name there.
func withoutDevice(agent string) string {
	at := androidDevice.FindStringIndex(agent)
	if at == nil || strings.Contains(agent[at[0]:at[1]], "-Google/") {
		return agent
	}
	return agent[:at[0]] + "(Android)" + agent[at[1]:]
}

// inApp reports whether agent is that of a browser inside an app or of a browser that carries an app's name, and gives no
// address to read about it, as robots do.
func inApp(agent string) bool {
	if !strings.HasPrefix(agent, "Mozilla/5.0 (") || strings.Contains(agent, "http") || strings.Contains(agent, "compatible;") {
		return false
	}
	return strings.Contains(agent, "Mobile") || strings.Contains(agent, "Chrome/")
}

// namesItself reports whether a lower-case agent has a word by which robots call themselves.
func namesItself(agent string) bool {
	for _, word := range crawlerWords {
		if strings.Contains(agent, word) {
			return true
		}
	}
	for rest := agent; ; {
		at := strings.Index(rest, "bot")
		if at < 0 {
			return false
		}
		phone := strings.HasSuffix(rest[:at], "cu") // Cubot makes phones
		rest = rest[at+len("bot"):]
		if !phone && (rest == "" || strings.ContainsRune(`/;) ,+@-_.:`, rune(rest[0]))) {
			return true
		}
	}
}
