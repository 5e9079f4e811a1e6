package server

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// quick answers links on their connection, before net/http sees them. They come by the thousand, and most of what they cost is what
// net/http makes for every request: contexts, buffers, and a second goroutine that watches whether the client goes away. What is not
// plain goes to net/http, and so does the first request of every connection, which makes net/http wait for the next one: time limits
// and shutdown stay its business.
type quick struct {
	server    *Server
	answering sync.Mutex // the connection is not closed while an answer is made
	peer      string
	waited    bool      // net/http has had a request
	renewed   time.Time // when the time limits were
	out       []byte
}

// renewal is how long time limits are left as they are: setting them costs as much as reading a request.
const renewal = time.Second

var headReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

// answer follows the link that a head asks for, and says whether it did. Otherwise nothing has happened.
func (q *quick) answer(conn net.Conn, head []byte) bool {
	if q.server == nil || !q.waited || !bytes.HasPrefix(head, []byte("GET /r/")) || !printable(head) || q.server.draining.Load() {
		return false
	}
	reader := headReaders.Get().(*bufio.Reader)
	defer headReaders.Put(reader)
	reader.Reset(bytes.NewReader(head))
	r, err := http.ReadRequest(reader)
	if err != nil || !ordinary(r) {
		return false
	}
	if q.peer == "" {
		q.peer = conn.RemoteAddr().String()
	}
	r.RemoteAddr = q.peer
	q.answering.Lock()
	defer q.answering.Unlock()
	s, req := q.server, q.server.newRequest(r)
	location, ok := s.followPlain(r, req)
	if !ok {
		s.metrics.inFlight.Dec()
		return false
	}
	defer s.finish(&answer{status: http.StatusFound}, r, req)
	q.renew(conn, s.options)
	q.out = append(q.out[:0], "HTTP/1.1 302 Found\r\nCache-Control: no-store\r\nLocation: "...)
	q.out = append(q.out, oneLine(location)...)
	q.out = append(append(q.out, "\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: "...), req.id...)
	q.out = time.Now().UTC().AppendFormat(append(q.out, "\r\nDate: "...), http.TimeFormat)
	q.out = append(q.out, "\r\nContent-Length: 0\r\n\r\n"...)
	if _, err := conn.Write(q.out); err != nil {
		_ = conn.Close() // so that net/http reads no more
	}
	return true
}

// renew gives the client as long for its next request, and for reading this answer, as net/http gives it.
func (q *quick) renew(conn net.Conn, o Options) {
	now := time.Now()
	if now.Sub(q.renewed) < renewal {
		return
	}
	q.renewed = now
	_ = conn.SetReadDeadline(now.Add(o.IdleTimeout + renewal))
	_ = conn.SetWriteDeadline(now.Add(o.ReadTimeout + o.RequestTimeout + renewal))
}

// ordinary says that nothing about a request needs net/http's judgement.
func ordinary(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close || r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.Host == "" {
		return false
	}
	for name, values := range r.Header {
		switch name {
		case "Expect", "Upgrade", "Trailer", "Te":
			return false
		case "Connection":
			if len(values) != 1 || !strings.EqualFold(values[0], "keep-alive") {
				return false
			}
		}
		if !alphanumeric(name) {
			return false
		}
	}
	return ordinaryHost(r.Host)
}

func ordinaryHost(host string) bool {
	for i := range len(host) {
		if b := host[i]; b != '.' && b != ':' && !alphanumeric(host[i:i+1]) {
			return false
		}
	}
	return true
}

// printable says that a head is made of visible ASCII, spaces and line ends.
func printable(head []byte) bool {
	for _, b := range head {
		if (b < ' ' || b > '~') && b != '\r' && b != '\n' {
			return false
		}
	}
	return true
}

// oneLine keeps a value from ending its field, as net/http does.
func oneLine(value string) string {
	if strings.ContainsAny(value, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return value
}
