package attacks

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/server"
)

func init() {
	programs["mass assignment"] = (*attack).massAssignment
	programs["spellings"] = (*attack).spellings
	programs["exposure"] = (*attack).exposure
	programs["neighbouring ids"] = (*attack).neighbours
	programs["origins"] = (*attack).origins
}

// massAssignment adds properties that are the server's to set to every object of every body.
func (a *attack) massAssignment() {
	extra := strings.Fields(a.row.With["properties"])
	for _, op := range a.book.operations {
		if op.body == nil {
			continue
		}
		r := a.recipe(op.id, nil)
		known := op.places()
		a.unchanged("W", op.id, func() {
			for _, at := range op.objects() {
				for _, property := range extra {
					pointer := at + "/" + property
					if slices.ContainsFunc(known, func(p place) bool { return p.at == pointer || strings.HasPrefix(p.at, pointer+"/") }) {
						continue
					}
					got := a.send(r.with(inBody(pointer), a.own.things["workspace"]))
					if got.status != 422 || !strings.Contains("validation_failed amount_not_allowed", got.text("code")) || !strings.Contains(got.body, pointer) {
						a.t.Errorf("%s with %s: %v", op.id, pointer, got)
					}
				}
			}
		})
	}
}

// spellings asks for every operation by other spellings of its path and by methods that it does not have.
func (a *attack) spellings() {
	for _, op := range a.book.operations {
		r := a.recipe(op.id, nil)
		path := r.pathText()
		last := path[strings.LastIndex(path, "/")+1:]
		other := []string{
			path + "/", "/" + path, path[:1] + "/" + path[1:], "/." + path, "/x/.." + path, "/%2e" + path, "/x/%2e%2e" + path, path + "/.", path + "/%2e",
			path + ";v=1", path + "%3bv=1", path + "%2f", path + "%00", path + "%20", path + "%0a", path + ".json", path + "/*",
			strings.TrimSuffix(path, last) + "%2f" + last, path[:len(path)-len(last)-1] + "%2F" + last, path[:len(path)-len(last)] + swapCase(last),
			path + "/" + newID(), "/v1" + path, strings.Replace(path, "/v1/", "/v2/", 1) + "x", "/V1" + strings.TrimPrefix(path, "/v1"),
		}
		a.unchanged("W", op.id, func() {
			for _, spelling := range other {
				if spelling == path || spelling[0] != '/' || op.key == "none" && harmless(spelling, path) {
					continue
				}
				s := r
				s.target = spelling
				if got := a.send(s); got.status != 404 && got.status != 405 && got.status != 422 && got.status != 400 {
					a.t.Errorf("%s %s: %v", op.method, spelling, got)
				} else if got.status == 422 || got.status == 400 {
					a.t.Errorf("%s %s was read as %s: %v", op.method, spelling, op.id, got)
				}
			}
			for _, method := range []string{"DELETE", "TRACE", "OPTIONS", "PROPFIND", "get"} {
				s := r
				s.method = method
				if got := a.send(s); got.status != 405 || !strings.Contains(got.header.Get("Allow"), op.method) {
					a.t.Errorf("%s %s: %v %s", method, path, got, got.header.Get("Allow"))
				}
			}
		})
	}
}

// harmless spellings of a redirect are its own: a code is compared folded, and anything may stand behind /r/.
func harmless(spelling, path string) bool {
	return strings.HasPrefix(path, "/r/") && (strings.EqualFold(spelling, path) || spelling == path+"%20")
}

func swapCase(s string) string {
	if upper := strings.ToUpper(s); upper != s && uuid.Validate(s) != nil {
		return upper
	}
	return s + "X"
}

// exposure reads everything that can be read: no personal text that was sent may come back, as every answer is checked for, and
// publishable keys see nobody's name.
func (a *attack) exposure() {
	for _, op := range a.book.operations {
		if op.method == "GET" && op.key != "none" {
			a.must(a.recipe(op.id, nil), 200)
		}
		if op.key != "publishable" {
			continue
		}
		r := a.recipe(op.id, nil).from("publishable")
		if op.id == "recordClick" {
			r = r.with(inBody("/ip"), nil)
		}
		got := a.send(r)
		if got.status > 201 {
			a.t.Errorf("%s: %v", op.id, got)
		}
		for _, shown := range []string{"Alice", "Bob", a.own.things["participant_name"], a.own.things["participant"], "email", "hash"} {
			if strings.Contains(got.body, shown) && op.id != "recordClick" {
				a.t.Errorf("%s shows %s with a publishable key: %v", op.id, shown, got)
			}
		}
	}
}

// neighbours walks from ids that are known to those beside them.
func (a *attack) neighbours() {
	for _, op := range a.book.operations {
		for _, p := range op.places() {
			if p.in != "path" || p.op.method != "GET" || p.schema.Format != "uuid" {
				continue
			}
			id := uuid.MustParse(a.thing("victim", a.book.kindOf(p)))
			for _, step := range []int{-1, 1} {
				near := id
				near[15] += byte(step)
				if got := a.send(a.recipe(op.id, nil).with(p, near.String())); got.status != 404 {
					a.t.Errorf("%s beside a known id: %v", p, got)
				}
			}
			if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
				a.t.Errorf("%s is no UUID of version 7: %s", p, id)
			}
		}
	}
}

// origins asks from pages of other origins: only those that are listed may read answers, only those of operations that publishable
// keys can use, and never with cookies.
func (a *attack) origins() {
	const good = "https://shop.example"
	open := a.start(func(o *server.Options) { o.AllowedOrigins = []string{good} })
	a.through(open, func() {
		for _, op := range a.book.operations {
			if op.key == "none" {
				continue
			}
			path := a.recipe(op.id, nil).pathText()
			for _, origin := range append(strings.Fields(a.row.With["origins"]), good) {
				r := request{method: "OPTIONS", target: path, as: "none", headers: []string{"Origin: " + origin, "Access-Control-Request-Method: " + op.method}}
				asked := a.send(r)
				r.method = op.method
				sent := a.send(r)
				allowed := origin == good && op.key == "publishable"
				for _, got := range []answer{asked, sent} {
					if got.header.Get("Access-Control-Allow-Credentials") != "" || (got.header.Get("Access-Control-Allow-Origin") == good) != allowed ||
						!allowed && got.header.Get("Access-Control-Allow-Origin") != "" || allowed && got.header.Get("Vary") != "Origin" {
						a.t.Errorf("%s from %s: %v %v", op.id, origin, got, got.header)
					}
				}
				if (asked.status == 204) != allowed {
					a.t.Errorf("%s may be asked from %s: %v", op.id, origin, asked)
				}
			}
		}
	})
}
