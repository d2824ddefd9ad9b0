package kafka

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener is the listener of a broker. It keeps its connections, to close
// them.
type listener struct {
	net.Listener
	latency time.Duration

	mu       sync.Mutex
	closed   bool
	conns    []net.Conn
	accepted int
}

// listen opens the listener of the next broker.
func (k *Kafka) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: inner, latency: k.latency}
	k.listeners = append(k.listeners, l)
	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	if l.closed {
		conn.Close()
	}
	l.conns = append(l.conns, conn)
	if l.latency > 0 {
		return &slowConn{Conn: conn, latency: l.latency}, nil
	}
	return conn, nil
}

// slowConn is a connection that delays the first part of each response.
type slowConn struct {
	net.Conn
	latency   time.Duration
	requested atomic.Bool
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.requested.Store(true)
	return n, err
}

func (c *slowConn) Write(p []byte) (int, error) {
	if c.requested.Swap(false) {
		time.Sleep(c.latency)
	}
	return c.Conn.Write(p)
}

// kill closes the listener and its connections.
func (l *listener) kill() {
	l.mu.Lock()
	l.closed = true
	l.Listener.Close()
	l.mu.Unlock()
	l.closeConns()
}

// closeConns closes all connections.
func (l *listener) closeConns() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		conn.Close()
	}
	l.conns = nil
}

// Connections returns how many connections the brokers have accepted so far.
func (k *Kafka) Connections() int {
	n := 0
	for _, l := range k.listeners {
		l.mu.Lock()
		n += l.accepted
		l.mu.Unlock()
	}
	return n
}
