package kafka

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// gate is a broker's listener. It knows its connections, so that it can be shut
// with them.
type gate struct {
	net.Listener
	latency time.Duration

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
	taken  int
}

// listen opens the gate of the next broker.
func (k *Kafka) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	g := &gate{Listener: l, latency: k.latency}
	k.gates = append(k.gates, g)
	return g, nil
}

func (g *gate) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken++
	if g.closed {
		conn.Close()
	}
	g.conns = append(g.conns, conn)
	if g.latency > 0 {
		return &slow{Conn: conn, latency: g.latency}, nil
	}
	return conn, nil
}

// slow is a connection on which the first part of every answer takes its time.
type slow struct {
	net.Conn
	latency time.Duration
	asked   atomic.Bool
}

func (c *slow) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.asked.Store(true)
	return n, err
}

func (c *slow) Write(p []byte) (int, error) {
	if c.asked.Swap(false) {
		time.Sleep(c.latency)
	}
	return c.Conn.Write(p)
}

// shut ends the listener too.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	g.Listener.Close()
	g.mu.Unlock()
	g.cut()
}

// cut ends the connections.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range g.conns {
		conn.Close()
	}
	g.conns = nil
}

// Connections returns how many connections the brokers have ever taken.
func (k *Kafka) Connections() int {
	n := 0
	for _, g := range k.gates {
		g.mu.Lock()
		n += g.taken
		g.mu.Unlock()
	}
	return n
}
