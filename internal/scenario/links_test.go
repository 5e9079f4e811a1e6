package scenario

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// visit follows a code's link as a browser does and returns the click id that the visitor lands with.
func (w *world) visit(codeID string) string {
	w.t.Helper()
	link, err := url.Parse(w.do("GET", "/v1/codes/"+codeID, nil).want(200).str("link"))
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, w.url+link.Path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	res, err := w.client.Transport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil || res.StatusCode != http.StatusFound {
		w.t.Fatalf("the link answered %d: %v", res.StatusCode, err)
	}
	return to.Query().Get("gv_click")
}

func TestAVisitorWhoClicksTwiceIsAttributedByEitherClick(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	id, _ := w.code("A", "")
	first, second := w.visit(id), w.visit(id)
	if first == "" || second == "" {
		t.Fatal("a visitor lands without a click id")
	}
	w.signup("B", t0, "click_ids", []string{second}).want(201, "attributed", true, "reason", "ATTRIBUTED_LAST_TOUCH")
	w.signup("D", t0, "click_ids", []string{first}).want(201, "attributed", true)
	w.do("GET", "/v1/clicks", nil).want(200, "data.0.classification", "repeat", "data.1.classification", "human")
	w.standing()
}

func TestALinkIsStampedWithTheClockThatWasJustMoved(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	id, _ := w.code("A", "")
	w.visit(id)
	at := t0.Add(3 * day)
	w.clock(at)
	click := w.do("GET", "/v1/clicks/"+w.visit(id), nil).want(200)
	if got := click.str("occurred_at"); got != at.Format(time.RFC3339) {
		t.Errorf("the click occurred at %s", got)
	}
}
