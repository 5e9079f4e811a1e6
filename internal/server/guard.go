package server

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

const (
	mostHeaderBytes  = 32 << 10
	mostHeaderFields = 100
	lingerTime       = 500 * time.Millisecond
	lingerBytes      = 1 << 20
)

// guard stands between the connections and net/http, for what net/http repairs or answers by itself:
//
//   - it refuses request heads that two servers in a row could read differently: a body announced both by Content-Length and by
//     Transfer-Encoding, bare line feeds and carriage returns, folded fields, more than a hundred fields, space around a
//     credential;
//   - net/http's own refusals of broken heads leave as problem documents like every other refusal;
//   - it bounds how many connections are open: further ones wait in the kernel, where they cost us nothing.
type guard struct {
	net.Listener
	open chan struct{}
}

// Accept waits for the next connection.
func (g guard) Accept() (net.Conn, error) {
	g.open <- struct{}{}
	c, err := g.Listener.Accept()
	if err != nil {
		<-g.open
		return nil, err
	}
	return &guardedConn{Conn: c, closed: sync.OnceFunc(func() { <-g.open })}, nil
}

type guardedConn struct {
	net.Conn
	closed  func()
	head    []byte // of the next request, as far as it has arrived
	body    int64  // bytes of the current request's body still to come
	blind   bool   // a chunked body began: nothing after it is read, as its answer closes the connection
	last    []byte // what net/http gets to read before the end, once a head is refused
	refused atomic.Int32
}

// poison ends a head, wherever in it net/http is, so that net/http refuses it and ends the connection.
const poison = "\x00\r\n\r\n"

// Read hands on what arrived, up to a head that is refused: instead of that, net/http sees one that it refuses itself.
func (c *guardedConn) Read(p []byte) (int, error) {
	if c.refused.Load() == 0 {
		n, err := c.Conn.Read(p)
		good, status := c.scan(p[:n])
		if status == 0 {
			return n, err
		}
		c.refused.Store(int32(status))
		c.last = append(bytes.Clone(p[:good]), poison...)
	}
	n := copy(p, c.last)
	if c.last = c.last[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// scan follows the framing of the stream. It gives the status to refuse it with, or 0, and how much came before what is refused.
func (c *guardedConn) scan(p []byte) (good, status int) {
	for good < len(p) && !c.blind {
		rest := p[good:]
		if c.body > 0 {
			n := min(c.body, int64(len(rest)))
			c.body -= n
			good += int(n)
			continue
		}
		arrived := len(c.head)
		c.head = append(c.head, rest...)
		end := bytes.Index(c.head[max(arrived-3, 0):], []byte("\r\n\r\n"))
		if end < 0 {
			return good, checkLines(c.head)
		}
		end += max(arrived-3, 0) + 4
		if status := c.readHead(c.head[:end]); status != 0 {
			return good, status
		}
		good += end - arrived
		c.head = c.head[:0]
	}
	return good, 0
}

// checkLines refuses line ends that are not CR LF, and heads that grow without end.
func checkLines(head []byte) int {
	if len(head) > mostHeaderBytes {
		return http.StatusRequestHeaderFieldsTooLarge
	}
	for i, b := range head {
		bareFeed := b == '\n' && (i == 0 || head[i-1] != '\r')
		bareReturn := b == '\r' && i+1 < len(head) && head[i+1] != '\n'
		if bareFeed || bareReturn {
			return http.StatusBadRequest
		}
	}
	return 0
}

// readHead looks at a whole head and learns how long its body is.
func (c *guardedConn) readHead(head []byte) int {
	if status := checkLines(head); status != 0 {
		return status
	}
	lines := bytes.Split(head[:len(head)-4], []byte("\r\n"))
	if len(lines)-1 > mostHeaderFields {
		return http.StatusRequestHeaderFieldsTooLarge
	}
	hasLength := false
	for _, line := range lines[1:] {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) > 0 && (line[0] == ' ' || line[0] == '\t'):
			return http.StatusBadRequest
		case bytes.EqualFold(name, []byte("Content-Length")):
			hasLength = true
			// A length that is no number is net/http's to refuse.
			c.body, _ = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			c.blind = true
		case bytes.EqualFold(name, []byte("Authorization")):
			if v := bytes.TrimPrefix(value, []byte(" ")); !bytes.Equal(v, bytes.TrimSpace(v)) {
				return http.StatusBadRequest
			}
		}
	}
	if c.blind && hasLength {
		return http.StatusBadRequest
	}
	return 0
}

// ownRefusal is how net/http ends the head of an answer that it writes without asking a handler; handlers' answers have a Date.
var ownRefusal = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write replaces net/http's own refusals by problem documents.
func (c *guardedConn) Write(p []byte) (int, error) {
	head, _, found := bytes.Cut(p[:min(len(p), 256)], ownRefusal)
	if !found || bytes.Contains(head, []byte("\r\n")) {
		return c.Conn.Write(p)
	}
	status := int(c.refused.Load())
	if fields := bytes.Fields(head); status == 0 && len(fields) > 1 {
		status, _ = strconv.Atoi(string(fields[1]))
	}
	c.refused.CompareAndSwap(0, http.StatusBadRequest)
	if _, err := c.Conn.Write(rawRefusal(status)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func rawRefusal(status int) []byte {
	p := problem.MalformedRequest.With("The head of the request is not acceptable HTTP/1.1.")
	if status == http.StatusRequestHeaderFieldsTooLarge {
		p = problem.HeadersTooLarge.With("A request's head may have 32 KiB and 100 fields.")
	}
	id := newRequestID()
	body := problemDocument(p, id)
	return append([]byte("HTTP/1.1 "+strconv.Itoa(p.Status)+" "+http.StatusText(p.Status)+
		"\r\nContent-Type: "+problemType+"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: "+id+
		"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\nConnection: close\r\n\r\n"), body...)
}

// CloseWrite lets net/http end its half of the connection first, so that a refusal is not lost with what was still being sent.
func (c *guardedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close waits a moment for the rest of a refused request, since closing over unread bytes would take the refusal back.
func (c *guardedConn) Close() error {
	defer c.closed()
	if c.refused.Load() != 0 && c.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}
