package attacks

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// patience ends a test that waits for an answer that does not come; nothing is judged by it.
const patience = 20 * time.Second

// sendRaw sends bytes as they are on a connection of its own, and gives the first answer and whether the connection ended after it.
func (w *world) sendRaw(text string) (answer, bool) {
	w.t.Helper()
	conn := w.dial()
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, text) // it may be refused before it is sent whole
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		w.t.Errorf("no answer to %.200q: %v", text, err)
		return answer{}, true
	}
	a := read(res)
	if !res.Close {
		return a, false
	}
	_, err = reader.ReadByte()
	return a, ended(err)
}

// ended says whether a read failed because the other side ended the connection.
func ended(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return err != nil && (!ok || !timeout.Timeout())
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// volley sends requests at once: each is on its way but for the last byte before the first last byte leaves. Requests that the server
// asks to be repeated are repeated with their Idempotency-Key, as a client does.
func (w *world) volley(all []request) []answer {
	w.t.Helper()
	shot := &volley{address: strings.TrimPrefix(w.server.URL, "http://"), release: make(chan struct{})}
	shot.ready.Add(len(all))
	out := make([]answer, len(all))
	var done sync.WaitGroup
	for i, r := range all {
		ready := sync.OnceFunc(shot.ready.Done)
		done.Go(func() {
			defer ready() // whatever has become of it
			out[i] = w.sendBy(r, held{shot, ready})
		})
	}
	shot.ready.Wait()
	close(shot.release)
	done.Wait()
	for i := range all {
		for tries := 0; tries < 50 && again(out[i]); tries++ {
			out[i] = w.send(all[i])
		}
	}
	return out
}

// again says whether an answer asks for the same request once more.
func again(a answer) bool {
	return a.status == http.StatusServiceUnavailable || a.status == http.StatusConflict && a.text("code") == "request_in_progress" ||
		a.status == http.StatusConflict && strings.Contains(a.body, "keep changing")
}

// volley is when the last bytes leave.
type volley struct {
	address string
	ready   sync.WaitGroup
	release chan struct{}
}

// held is a transport that holds the last byte of its request back.
type held struct {
	*volley
	begun func()
}

// RoundTrip implements http.RoundTripper.
func (v held) RoundTrip(r *http.Request) (*http.Response, error) {
	var text bytes.Buffer
	err := r.Write(&text)
	conn, dialErr := net.Dial("tcp", v.address)
	if err := errors.Join(err, dialErr); err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	b := text.Bytes()
	_, err = conn.Write(b[:len(b)-1])
	v.begun()
	<-v.release
	if err == nil {
		_, err = conn.Write(b[len(b)-1:])
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	res.Body = closing{res.Body, conn}
	return res, nil
}

// closing ends the connection with the answer.
type closing struct {
	io.ReadCloser
	conn net.Conn
}

// Close implements io.Closer.
func (c closing) Close() error { return errors.Join(c.ReadCloser.Close(), c.conn.Close()) }
