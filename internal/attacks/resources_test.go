package attacks

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/server"
)

func init() {
	programs["slow senders"] = (*attack).slowSenders
	programs["flood of connections"] = (*attack).flood
}

// slowSenders begins requests and does not go on: the server ends each connection by itself, and answers others meanwhile.
func (a *attack) slowSenders() {
	hurried := a.start(func(o *server.Options) {
		o.ReadHeaderTimeout, o.ReadTimeout = 200*time.Millisecond, 400*time.Millisecond
	})
	a.through(hurried, func() {
		key := "Authorization: Bearer " + a.own.secret + "\r\nIdempotency-Key: slow\r\nContent-Type: application/json\r\n"
		var open []net.Conn
		for _, begun := range []string{
			"", "G", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nX: y\r\n",
			"POST /v1/participants HTTP/1.1\r\nHost: x\r\n" + key + "Content-Length: 100\r\n\r\n",
			"POST /v1/participants HTTP/1.1\r\nHost: x\r\n" + key + "Content-Length: 100\r\n\r\n{\"external_id\":",
			"POST /v1/participants HTTP/1.1\r\nHost: x\r\n" + key + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ext",
			"POST /v1/programs/" + newID() + "/pause HTTP/1.1\r\nHost: x\r\n" + key + "Content-Length: 1\r\n\r\n",
		} {
			for range 20 {
				conn := a.dial()
				_, _ = io.WriteString(conn, begun)
				open = append(open, conn)
			}
		}
		idle := a.dial() // asks for much and reads nothing
		defer func() { _ = idle.Close() }()
		for range 50 {
			_, _ = io.WriteString(idle, "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if got := a.probe(a.own.secret); got.status != 200 {
			a.t.Errorf("others, meanwhile: %v", got)
		}
		for i, conn := range open {
			text, err := io.ReadAll(conn)
			if err != nil && !ended(err) {
				a.t.Errorf("the connection %d stays open: %v", i, err)
			}
			if strings.HasPrefix(string(text), "HTTP/1.1 2") || strings.HasPrefix(string(text), "HTTP/1.1 5") {
				a.t.Errorf("half a request was answered: %.200s", text)
			}
			_ = conn.Close()
		}
	})
}

// flood opens many more connections than the server takes. Never are more open than it was told, and when they are used one after the
// other, all are answered.
func (a *attack) flood() {
	const most, many = 4, 60
	handler, err := server.New(server.Options{Log: slog.New(slog.DiscardHandler), MaxConnections: most}, a.store)
	if err != nil {
		a.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	counted := &countedListener{Listener: listener}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- handler.Run(ctx, counted) }()
	var all sync.WaitGroup
	var answered atomic.Int64
	for range many {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			a.t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		all.Go(func() {
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && res.StatusCode == 200 {
				answered.Add(1)
			}
		})
	}
	all.Wait()
	if answered.Load() != many || counted.most.Load() > most || counted.most.Load() == 0 {
		a.t.Errorf("%d of %d answered, %d open at once", answered.Load(), many, counted.most.Load())
	}
	stop()
	if err := <-done; err != nil {
		a.t.Error(err)
	}
}

// countedListener counts how many of its connections are open.
type countedListener struct {
	net.Listener
	open, most atomic.Int64
}

// Accept implements net.Listener.
func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if n := l.open.Add(1); n > l.most.Load() {
		l.most.Store(n)
	}
	return &countedConn{Conn: c, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
