package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// onWire is a guarded connection of a server, behind a request that net/http has had.
func (w *world) onWire() (client net.Conn, guarded *guardedConn) {
	w.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		w.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, &guardedConn{Conn: server, closed: func() {}, quick: quick{server: w.server, waited: true}}
}

func TestWhichHeadsAreAnsweredOnTheirConnection(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	link := "/r/" + p.w.pair.Test.Slug + "/ALICE-9"
	plain := "GET " + link + " HTTP/1.1\r\nHost: go.example\r\nUser-Agent: " + firefox + "\r\n"
	for head, want := range map[string]bool{
		plain: true,
		plain + "Connection: keep-alive\r\nX-Forwarded-For: 192.0.2.1\r\nReferer: https://a.example/b?c\r\n": true,
		strings.Replace(plain, link, link+"?utm_source=a", 1):                                                true,
		strings.Replace(plain, "go.example", "[::1]:80", 1):                                                  false,
		strings.Replace(plain, "go.example", "go.example:80", 1):                                             true,
		strings.Replace(plain, "Host: go.example\r\n", "", 1):                                                false,
		strings.Replace(plain, "HTTP/1.1", "HTTP/1.0", 1):                                                    false,
		strings.Replace(plain, "GET", "HEAD", 1):                                                             false,
		strings.Replace(plain, link, "http://go.example"+link, 1):                                            false,
		strings.Replace(plain, link, link+"/", 1):                                                            false,
		strings.Replace(plain, link, "/r/"+p.w.pair.Test.Slug+"/nobody", 1):                                  false,
		strings.Replace(plain, link, "/livez", 1):                                                            false,
		plain + "Host: b.example\r\n":                                                                        false,
		plain + "Connection: close\r\n":                                                                      false,
		plain + "Connection: keep-alive\r\nConnection: x\r\n":                                                false,
		plain + "Content-Length: 3\r\n":                                                                      false,
		plain + "Transfer-Encoding: chunked\r\n":                                                             false,
		plain + "Expect: 100-continue\r\n":                                                                   false,
		plain + "Upgrade: h2c\r\n":                                                                           false,
		plain + "X Y: z\r\n":                                                                                 false,
		plain + "X-Y: \x01\r\n":                                                                              false,
		plain + "X-Y: \u00e9\r\n":                                                                            false,
	} {
		client, guarded := p.w.onWire()
		read := make(chan int, 1)
		go func() { n, _ := guarded.Read(make([]byte, 4096)); read <- n }()
		if _, err := io.WriteString(client, head+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answered := make(chan *http.Response, 1)
		go func() {
			res, _ := http.ReadResponse(bufio.NewReader(client), nil)
			answered <- res
		}()
		select {
		case n := <-read:
			if want || n != len(head)+2 {
				t.Errorf("net/http gets %d bytes of %d:\n%s", n, len(head)+2, head)
			}
		case res := <-answered:
			if !want || res == nil || res.StatusCode != http.StatusFound || !strings.Contains(res.Header.Get("Location"), "gv_click=") {
				t.Errorf("answered %v:\n%s", res, head)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("nothing happens:\n%s", head)
		}
		_ = client.Close()
	}
}

// The first request of a connection is net/http's, the others are not: they must look the same, in whatever pieces they arrive.
func TestAnswersOfOneConnectionAreAlike(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	changing := regexp.MustCompile(`(gv_click=|Date: |X-Request-Id: )[^\r]*`)
	var first string
	for i := range 40 {
		agent := strings.Replace(firefox, "140.0", fmt.Sprint(i), 1)
		head := "GET /r/" + p.w.pair.Test.Slug + "/ALICE-9 HTTP/1.1\r\nHost: go.example\r\nUser-Agent: " + agent + "\r\n\r\n"
		cut := i * 3
		for _, part := range []string{head[:cut], head[cut:]} {
			if _, err := io.WriteString(conn, part); err != nil {
				t.Fatal(err)
			}
			if i%4 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
		var answer strings.Builder
		for !strings.HasSuffix(answer.String(), "\r\n\r\n") {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			answer.WriteString(line)
		}
		told := changing.ReplaceAllString(answer.String(), "$1")
		if first == "" {
			first = told
		}
		if told != first || !strings.Contains(told, "gv_click=") {
			t.Fatalf("answer %d:\n%s\nthe first:\n%s", i, told, first)
		}
	}
	if n := p.w.number("SELECT count(*) FROM clicks WHERE workspace_id = $1", p.w.pair.Test.WorkspaceID); n != 40 {
		t.Errorf("%d clicks are stored", n)
	}
}

// Stopping closes connections that net/http thinks idle; an answer on its way must not be cut.
func TestStoppingCutsNoLink(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	client, guarded := p.w.onWire()
	guarded.quick.answering.Lock()
	closed := make(chan error, 1)
	go func() { closed <- guarded.Close() }()
	select {
	case <-closed:
		t.Fatal("closed while an answer was made")
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := guarded.Conn.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	guarded.quick.answering.Unlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if text, err := io.ReadAll(client); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}

	// A server that drains leaves links to net/http, which closes behind its answer.
	_, guarded = p.w.onWire()
	p.w.server.draining.Store(true)
	defer p.w.server.draining.Store(false)
	head := "GET /r/" + p.w.pair.Test.Slug + "/ALICE-9 HTTP/1.1\r\nHost: go.example\r\n\r\n"
	if guarded.quick.answer(guarded.Conn, []byte(head)) {
		t.Error("answered while draining")
	}
}
