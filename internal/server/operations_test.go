package server

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheRoutesAreTheContract(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	routed := map[string]bool{}
	for _, r := range b.server.echo.Routes() {
		routed[r.Method+" "+r.Path] = true
		if b.server.operations.find(r.Method, r.Path) == nil {
			t.Errorf("%s %s is routed and not in the contract", r.Method, r.Path)
		}
	}
	for route := range b.server.operations {
		if !routed[route] {
			t.Errorf("%s is in the contract and not routed", route)
		}
	}
}

func TestContractsThatLeaveTheEdgeGuessingAreRefused(t *testing.T) {
	t.Parallel()
	const contract = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/v1/things":{"post":{"operationId":"x",EXTRA,
		"requestBody":{"content":{"MEDIA":{"schema":SCHEMA}}},"responses":{"200":{"description":"ok"}}}}}}`
	const key, closed = `"x-key":"secret","x-scope":"things:write"`, `{"type":"object","additionalProperties":false}`
	for name, c := range map[string]struct {
		extra, media, schema string
		ok                   bool
	}{
		"as it should be":   {key, "application/json", closed, true},
		"no key":            {`"x-scope":"things:write"`, "application/json", closed, false},
		"an unknown key":    {`"x-key":"any","x-scope":"things:write"`, "application/json", closed, false},
		"no scope":          {`"x-key":"secret"`, "application/json", closed, false},
		"another body":      {key, "text/plain", closed, false},
		"an open object":    {key, "application/json", `{"type":"object"}`, false},
		"an open one below": {key, "application/json", `{"type":"object","additionalProperties":false,"properties":{"a":{"type":"array","items":{"type":"object"}}}}`, false},
		"a number":          {key, "application/json", `{"type":"object","additionalProperties":false,"properties":{"a":{"type":"number"}}}`, false},
		"no type":           {key, "application/json", `{"type":"object","additionalProperties":false,"properties":{"a":{}}}`, false},
		"a cookie":          {key + `,"parameters":[{"name":"c","in":"cookie","schema":{"type":"string"}}]`, "application/json", closed, false},
		"a list in a query": {key + `,"parameters":[{"name":"c","in":"query","schema":{"type":"array","items":{"type":"string"}}}]`, "application/json", closed, false},
	} {
		text := strings.NewReplacer("EXTRA", c.extra, "MEDIA", c.media, "SCHEMA", c.schema).Replace(contract)
		if _, err := loadOperations([]byte(text), 1); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.AllowedOrigins = []string{"https://shop.example"} })
	closedServer := start(t, nil)
	for _, c := range []struct {
		b              *bench
		target, origin string
		ok             bool
	}{
		{b, "/v1/clicks", "https://shop.example", true},
		{b, "/v1/clicks", "http://shop.example", false},
		{b, "/v1/clicks", "https://shop.example.evil.example", false},
		{b, "/v1/clicks", "https://evilshop.example", false},
		{b, "/v1/clicks", "null", false},
		{b, "/v1/clicks", "*", false},
		{b, "/v1/programs", "https://shop.example", false},
		{closedServer, "/v1/clicks", "https://shop.example", false},
	} {
		asked, body := c.b.ask("OPTIONS", c.target, "", "Origin: "+c.origin, "Access-Control-Request-Method: POST")
		sent, _ := c.b.ask("POST", c.target, "{}", "Origin: "+c.origin, asJSON)
		for _, res := range []*http.Response{asked, sent} {
			if got := res.Header.Get("Access-Control-Allow-Origin"); (got == c.origin) != c.ok || got != "" && !c.ok ||
				res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %s: %v", c.target, c.origin, res.Header)
			}
		}
		want := http.StatusMethodNotAllowed
		if c.ok {
			want = http.StatusNoContent
		}
		c.b.expect("preflight from "+c.origin, asked, body, want, "")
	}
}
