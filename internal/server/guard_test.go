package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/api"
)

const untilClosed = -1

// wire is a listener that knows how much has been read of each connection, by the client's address.
type wire struct {
	net.Listener
	reads sync.Map
}

type wireConn struct {
	*net.TCPConn
	read *atomic.Int64
}

func (w *wire) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	read, _ := w.reads.LoadOrStore(conn.RemoteAddr().String(), &atomic.Int64{})
	return wireConn{conn.(*net.TCPConn), read.(*atomic.Int64)}, nil
}

// read gives how many bytes of a client were read, or that nothing more will be.
func (w *wire) read(client net.Addr) int64 {
	read, ok := w.reads.Load(client.String())
	if !ok {
		return 0
	}
	return read.(*atomic.Int64).Load()
}

func (c wireConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c wireConn) Close() error {
	c.read.Store(math.MaxInt64 / 2)
	return c.TCPConn.Close()
}

// raw sends bytes as they are and gives every answer until the server closes, and whether it did. After as many answers as are
// expected it waits only a moment for one too many.
func (b *bench) raw(expected int, parts ...string) (answers []*http.Response, bodies []string, closed bool) {
	b.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	sent := int64(0)
	for _, part := range parts {
		eventually(b.t, func() bool { return b.wire.read(conn.LocalAddr()) >= sent }) // or the parts could arrive as one
		n, err := io.WriteString(conn, part)
		if err != nil {
			break // refused before it was sent whole
		}
		sent += int64(n)
	}
	reader := bufio.NewReader(conn)
	for {
		wait := 5 * time.Second
		if len(answers) == expected {
			wait = 100 * time.Millisecond
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			return answers, bodies, err == io.EOF || err == io.ErrUnexpectedEOF
		}
		body, _ := io.ReadAll(res.Body)
		answers, bodies = append(answers, res), append(bodies, string(body))
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := b.secret("programs:read")
	const host = "Host: gv.test\r\n"
	for name, c := range map[string]struct {
		head   string
		status int
	}{
		"a length and a chunked body":     {"POST /v1/signups HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"the same the other way round":    {"POST /v1/signups HTTP/1.1\r\n" + host + "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", 400},
		"bare line feeds":                 {"GET /livez HTTP/1.1\nHost: gv.test\n\n", 400},
		"one bare line feed":              {"GET /livez HTTP/1.1\r\nHost: gv.test\nX: y\r\n\r\n", 400},
		"a bare carriage return":          {"GET /livez HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", 400},
		"a folded field":                  {"GET /livez HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		"two hosts":                       {"GET /livez HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"no host":                         {"GET /livez HTTP/1.1\r\n\r\n", 400},
		"a space before the colon":        {"GET /livez HTTP/1.1\r\n" + host + "X : y\r\n\r\n", 400},
		"no colon":                        {"GET /livez HTTP/1.1\r\n" + host + "XY\r\n\r\n", 400},
		"an empty name":                   {"GET /livez HTTP/1.1\r\n" + host + ": y\r\n\r\n", 400},
		"a NUL":                           {"GET /livez HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", 400},
		"two lengths":                     {"POST /v1/signups HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
		"a negative length":               {"POST /v1/signups HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\n", 400},
		"a length with a sign":            {"POST /v1/signups HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello", 400},
		"an unknown transfer coding":      {"POST /v1/signups HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 400},
		"an absolute target":              {"GET http://gv.test/livez HTTP/1.1\r\n" + host + "\r\n", 400},
		"an asterisk":                     {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400},
		"CONNECT":                         {"CONNECT gv.test:80 HTTP/1.1\r\n" + host + "\r\n", 400},
		"another protocol":                {"GET /livez HTTP/3.0\r\n" + host + "\r\n", 400},
		"no HTTP at all":                  {"hello\r\n\r\n", 400},
		"100 kB in one field":             {"GET /livez HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 100_000) + "\r\n\r\n", 431},
		"1,000 fields":                    {"GET /livez HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", 1000) + "\r\n", 431},
		"a space behind the credential":   {"GET /v1/programs HTTP/1.1\r\n" + host + "Authorization: Bearer " + key + " \r\n\r\n", 400},
		"a tab behind the credential":     {"GET /v1/programs HTTP/1.1\r\n" + host + "Authorization: Bearer " + key + "\t\r\n\r\n", 400},
		"two spaces before it":            {"GET /v1/programs HTTP/1.1\r\n" + host + "Authorization:  Bearer " + key + "\r\n\r\n", 400},
		"a NUL in the credential":         {"GET /v1/programs HTTP/1.1\r\n" + host + "Authorization: Bearer " + key + "\x00\r\n\r\n", 400},
		"a line break in the target":      {"GET /livez\r\nX: y HTTP/1.1\r\n" + host + "\r\n", 400},
		"a length that announces too few": {"POST /livez HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nhello\r\n\r\n", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers, bodies, closed := b.raw(untilClosed, c.head)
			if !closed || len(answers) == 0 || answers[0].StatusCode != c.status {
				t.Fatalf("closed %v, answers %v %v", closed, answers, bodies)
			}
			var p struct {
				Code      string
				RequestID string `json:"request_id"`
			}
			h := answers[0].Header
			if err := json.Unmarshal([]byte(bodies[0]), &p); err != nil || p.Code == "" || h.Get("Content-Type") != problemType ||
				p.RequestID != h.Get("X-Request-Id") || h.Get("Cache-Control") != "no-store" {
				t.Errorf("%v %v %s", err, h, bodies[0])
			}
		})
	}
}

// What is allowed passes: heads in pieces, several requests in one packet, bodies between them, chunked bodies.
func TestFraming(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	accepting(b)
	key := b.secret("signups:write")
	get := "GET /livez HTTP/1.1\r\nHost: gv.test\r\n\r\n"
	post := "POST /v1/signups HTTP/1.1\r\nHost: gv.test\r\nAuthorization: Bearer " + key +
		"\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n"
	whole := post + "Content-Length: " + strconv.Itoa(len(signup)) + "\r\n\r\n" + signup
	chunked := post + "Transfer-Encoding: chunked\r\n\r\n" + "5\r\n" + signup[:5] + "\r\n" + strconv.FormatInt(int64(len(signup)-5), 16) + "\r\n" + signup[5:] + "\r\n0\r\n\r\n"
	for name, c := range map[string]struct {
		parts  []string
		status []int
	}{
		"byte by byte":                       {strings.Split(get, ""), []int{200}},
		"three at once":                      {[]string{get + get + get}, []int{200, 200, 200}},
		"a body between":                     {[]string{whole + get + whole + get}, []int{422, 200, 422, 200}},
		"a body in pieces":                   {[]string{whole[:len(whole)-20], whole[len(whole)-20:] + get}, []int{422, 200}},
		"a head split at its end":            {[]string{get[:len(get)-3], get[len(get)-3:], get}, []int{200, 200}},
		"a chunked body closes":              {[]string{chunked + get}, []int{422}},
		"a bad head after a good one":        {[]string{get + "GET /livez HTTP/1.1\nHost: x\n\n"}, []int{200, 400}},
		"a bad head after a body":            {[]string{whole, "GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"}, []int{422, 400}},
		"both lengths after a good one":      {[]string{get, post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, []int{200, 400}},
		"a body that hides another request":  {[]string{post + "Content-Length: " + strconv.Itoa(len(get)) + "\r\n\r\n" + get}, []int{400}},
		"a chunk that hides another request": {[]string{chunked[:len(chunked)-5] + strconv.FormatInt(int64(len(get)), 16) + "\r\n" + get + "\r\n0\r\n\r\n" + get}, []int{400}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers, bodies, _ := b.raw(len(c.status), c.parts...)
			var got []int
			for _, a := range answers {
				got = append(got, a.StatusCode)
			}
			if !slices.Equal(got, c.status) {
				t.Errorf("%v, want %v\n%v", got, c.status, bodies)
			}
		})
	}
}

func TestSlowSenders(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.ReadHeaderTimeout, o.ReadTimeout = 300*time.Millisecond, 500*time.Millisecond })
	b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		return noPrograms, nil
	}
	begun := time.Now()
	_, _, closed := b.raw(untilClosed, "GET /livez HTTP/1.1\r\nHost: x\r\nX: ")
	if !closed || time.Since(begun) > time.Second {
		t.Errorf("a slow head: closed %v after %v", closed, time.Since(begun))
	}
	answers, bodies, closed := b.raw(untilClosed, "POST /v1/signups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+b.secret("signups:write")+
		"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if !closed || len(answers) != 1 || answers[0].StatusCode != 400 {
		t.Errorf("a slow body: closed %v, %v", closed, bodies)
	}
	res, body := b.ask("GET", "/v1/programs", "", bearerOf(b.secret("programs:read")))
	b.expect("meanwhile", res, body, 200, "")
}

func TestOversizedBodiesAreRefusedEarly(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	head := "POST /v1/signups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	answers, _, closed := b.raw(untilClosed, head+"Content-Length: 10000000\r\n\r\n")
	if !closed || len(answers) != 1 || answers[0].StatusCode != 413 {
		t.Errorf("announced: closed %v, %v", closed, answers)
	}
	chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
	answers, _, closed = b.raw(untilClosed, head+"Transfer-Encoding: chunked\r\n\r\n", strings.Repeat(chunk, 17))
	if !closed || len(answers) != 1 || answers[0].StatusCode != 413 {
		t.Errorf("chunked: closed %v, %v", closed, answers)
	}
}

// However a stream is cut into packets, the guard refuses the same streams, and never more than it got.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\nHost: x\n\n", "A\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n", "A\r\n b\r\n\r\n", "A\rB\r\n\r\n",
		"A\r\nContent-Length: 99999999999999999999\r\n\r\n", "A\r\nContent-Length: -1\r\n\r\n", "\r\n\r\n\r\n\r\n",
	} {
		f.Add([]byte(s), uint8(7))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		var whole, pieces guardedConn
		good, status := whole.scan(bytes.Clone(stream))
		if good < 0 || good > len(stream) {
			t.Fatalf("%d of %d bytes are good", good, len(stream))
		}
		refused := 0
		for piece := range slices.Chunk(stream, int(size)+1) {
			if _, refused = pieces.scan(bytes.Clone(piece)); refused != 0 {
				break
			}
		}
		if (refused != 0) != (status != 0) {
			t.Fatalf("%d in one packet, %d in packets of %d: %q", status, refused, size+1, stream)
		}
	})
}
