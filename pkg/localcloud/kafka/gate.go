package kafka

import (
	"net"
	"sync"
)

// gate is a broker's listener. It knows its connections, so that it can be shut
// with them.
type gate struct {
	net.Listener
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
	g := &gate{Listener: l}
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
	return conn, nil
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
