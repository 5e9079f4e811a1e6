package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/google/uuid"
)

// loadEnv makes this program the load generator of another one.
const loadEnv = "GRAPEVINE_BENCH_LOAD"

// loadJob says whom to ask for links, and for how long.
type loadJob struct {
	Address string
	Clients int
	Span    time.Duration
	Status  string // of the answers
}

// loadResult is what the answers were.
type loadResult struct {
	Err       string
	Sample    sample
	Clicks    []uuid.UUID // acknowledged, those of the first tenth too
	Anonymous int         // answers without a click
}

// load has a process of its own ask for links, as visitors do: a client in the server's process would share its scheduler and make
// answering look cheaper than it is.
func load(ctx context.Context, job loadJob) (r loadResult, err error) {
	program, err := os.Executable()
	if err != nil {
		return r, err
	}
	var in, out bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(job); err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), loadEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("load generator: %w", err)
	}
	if err := gob.NewDecoder(&out).Decode(&r); err != nil {
		return r, fmt.Errorf("load generator: %w", err)
	}
	if r.Err != "" {
		return r, fmt.Errorf("load generator: %s", r.Err)
	}
	return r, nil
}

// generateLoad is the other side of load.
func generateLoad(in io.Reader, out io.Writer) {
	runtime.GOMAXPROCS(1) // there are two cores for everybody
	var job loadJob
	r, err := loadResult{}, gob.NewDecoder(in).Decode(&job)
	if err == nil {
		r, err = job.run()
	}
	if err != nil {
		r.Err = err.Error()
	}
	if err := gob.NewEncoder(out).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "load generator:", err)
		os.Exit(1)
	}
}

func (j loadJob) run() (r loadResult, err error) {
	works := make([]work, j.Clients)
	clicks := make([][]uuid.UUID, j.Clients)
	for i := range works {
		c, err := dial(j.Address)
		if err != nil {
			return r, err
		}
		defer func() { _ = c.conn.Close() }()
		next := requests()
		var location []byte
		works[i] = func() (int, error) {
			var err error
			if location, err = c.ask(next(), j.Status, location); err != nil {
				return 0, err
			}
			if _, id, ok := bytes.Cut(location, []byte("gv_click=")); ok {
				click, err := uuid.ParseBytes(id)
				clicks[i] = append(clicks[i], click)
				return 1, err
			}
			clicks[i] = append(clicks[i], uuid.Nil)
			return 1, nil
		}
	}
	r.Sample, err = takeSample(context.Background(), works, j.Span)
	for _, list := range clicks {
		for _, id := range list {
			if id == uuid.Nil {
				r.Anonymous++
			} else {
				r.Clicks = append(r.Clicks, id)
			}
		}
	}
	return r, err
}

// requests gives a client's requests one after the other: random codes, random visitors.
func requests() func() []byte {
	var made [512][]byte
	for i := range made {
		visitor := rand.IntN(visitors)
		made[i] = fmt.Appendf(nil, "GET /r/bench%03d HTTP/1.1\r\nHost: go.example\r\nX-Forwarded-For: 10.%d.%d.%d\r\n"+
			"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n"+
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.9\r\n"+
			"Accept-Encoding: gzip, deflate, br\r\n\r\n", rand.IntN(codes), visitor>>16, visitor>>8&0xff, visitor&0xff)
	}
	i := rand.IntN(len(made))
	return func() []byte { i++; return made[i%len(made)] }
}
