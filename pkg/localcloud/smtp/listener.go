package smtp

import (
	"fmt"
	"net"
)

// listener plays the parts of a script that come before the first command.
type listener struct {
	net.Listener
	server *Server
}

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		script := l.server.current()
		switch {
		case script.Hang:
			l.server.hold(c)
		case script.Greeting.Code != 0:
			go refuse(c, script.Greeting)
		default:
			return c, nil
		}
	}
}

// refuse may shake hands first, if c is a TLS connection.
func refuse(c net.Conn, r Reply) {
	defer c.Close()
	fmt.Fprintf(c, "%d %s\r\n", r.Code, r.Text)
}

// hold keeps c open until the server ends.
func (s *Server) hold(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return
	}
	s.held = append(s.held, c)
}
