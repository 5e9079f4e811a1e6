package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// runPasted sends what the printed commands would send, the way a shell and curl understand them.
func runPasted(t *testing.T, printed string) {
	t.Helper()
	printed = strings.ReplaceAll(printed, "\\\n", "")
	ran := 0
	for line := range strings.Lines(printed) {
		words := shellWords(line)
		if len(words) == 0 || words[0] != "curl" {
			continue
		}
		ran++
		r, err := curlRequest(words[1:])
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		told := fmt.Sprint(res.StatusCode, " ", res.Header.Get("Location"), string(body))
		if want := []string{"302 https://www.acme.example/welcome?gv_click=", "201 ", "201 "}[ran-1]; !strings.HasPrefix(told, want) {
			t.Errorf("command %d answers %s", ran, told)
		}
		if want := []string{"", `"attributed":true`, `"granted":1980`}[ran-1]; !strings.Contains(told, want) {
			t.Errorf("command %d answers %s", ran, told)
		}
	}
	if ran != 3 {
		t.Errorf("%d commands are printed, not 3:\n%s", ran, printed)
	}
}

// shellWords splits a line; single quotes are the only quotes that we print.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// curlRequest reads the options of curl that we print.
func curlRequest(words []string) (*http.Request, error) {
	method, body, address := http.MethodGet, "", ""
	header := http.Header{}
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "-s":
		case "-o", "-w":
			i++
		case "-A":
			i++
			header.Set("User-Agent", words[i])
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			method, body = http.MethodPost, words[i]
		default:
			if address != "" {
				return nil, errors.New("not understood: " + words[i])
			}
			address = words[i]
		}
	}
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err == nil {
		r.Header = header
	}
	return r, err
}
