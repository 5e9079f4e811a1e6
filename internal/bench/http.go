package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
)

// client is a keep-alive connection that costs next to nothing: the load generator shares the machine with what it measures, and
// net/http's client is as heavy as a server.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReader(conn)}, nil
}

// ask sends a request and gives the Location of its answer, which has the status and no body. It is valid until the next call.
func (c *client) ask(request []byte, status string, location []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 "+status)) {
		return nil, fmt.Errorf("answered %q", line)
	}
	location = location[:0]
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			return location, nil
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Location: ")); ok {
			location = append(location, bytes.TrimSpace(rest)...)
		}
	}
}
