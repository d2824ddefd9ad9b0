package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
)

const (
	maxConnections = 8 // at most, at once
	dialTimeout    = 3 * time.Second
	callTimeout    = 5 * time.Second
	// Connections of a frozen function break without notice: NAT gateways drop them
	// after minutes (AWS: 350 seconds).
	idleTimeout = 2 * time.Minute
	// maxRedirects is how often one call follows a redirection in a cluster.
	maxRedirects = 3
)

// client holds the connections to the server that has the four keys. In a cluster that
// is one node, to which the other nodes redirect.
type client struct {
	address address
	roots   *x509.CertPool // nil for the system's roots

	mu     sync.Mutex
	closed bool
	node   node
}

// node is a server, with its connections.
type node struct {
	*redis.Pool
	host string // with the port
}

func newClient(at address, roots *x509.CertPool) *client {
	l := &client{address: at, roots: roots}
	l.node = l.newNode(at.host)
	return l
}

// read calls send, which must only read, and retries it once if the connection breaks.
func (l *client) read(ctx context.Context, send func(redis.Conn) (any, error)) (any, error) {
	return l.do(ctx, 2, send)
}

// write calls send once: if the connection breaks, the write may have been made.
func (l *client) write(ctx context.Context, send func(redis.Conn) (any, error)) (any, error) {
	return l.do(ctx, 1, send)
}

func (l *client) do(ctx context.Context, tries int, send func(redis.Conn) (any, error)) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for moves, refused := 0, false; ; {
		at, err := l.currentNode()
		if err != nil {
			return nil, err
		}
		reply, err := withConn(ctx, at.Pool, send)
		if err == nil {
			return reply, nil
		}
		var errorReply redis.Error
		if errors.As(err, &errorReply) {
			to, moved := movedTo(errorReply, at.host)
			switch {
			case moved && moves < maxRedirects:
				moves++
				l.replaceNode(at, to)
			case notPrimary(errorReply):
				// After a failover the host of the URL leads to another server, for new
				// connections. Nothing was written.
				l.replaceNode(at, l.address.host)
				if refused || ctx.Err() != nil {
					return nil, explain(ctx, err)
				}
				refused = true
			default:
				return nil, explain(ctx, err)
			}
			continue
		}
		// After a restart or a freeze the other connections are broken too, and the
		// keys may have moved: start again from the node of the URL.
		l.replaceNode(at, l.address.host)
		if tries--; tries == 0 || ctx.Err() != nil {
			return nil, explain(ctx, err)
		}
	}
}

func withConn(ctx context.Context, conns *redis.Pool, send func(redis.Conn) (any, error)) (any, error) {
	c, err := conns.GetContext(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return send(c)
}

// movedTo returns the node of a redirection by the node at, such as "MOVED 3999
// 10.0.0.2:6379". An IPv6 address has no brackets there. Without a host, or with "?" if the
// node does not know it, it is that of the node which was asked (Redis cluster
// specification, MOVED redirection).
func movedTo(err redis.Error, at string) (host string, moved bool) {
	words := strings.Fields(string(err))
	if len(words) != 3 || words[0] != "MOVED" {
		return "", false
	}
	colon := strings.LastIndexByte(words[2], ':')
	if colon < 0 {
		return "", false
	}
	name, port := words[2][:colon], words[2][colon+1:]
	if name == "" || name == "?" {
		name, _, _ = net.SplitHostPort(at)
	}
	return net.JoinHostPort(strings.Trim(name, "[]"), port), true
}

// notPrimary reports whether an error reply means that the server does not serve as the
// primary, or not yet: it was one before a failover or a restart. Redis 6 puts its own text
// before errors of commands in a script.
func notPrimary(err redis.Error) bool {
	return slices.ContainsFunc([]string{"READONLY ", "MASTERDOWN ", "LOADING "}, func(code string) bool {
		return strings.HasPrefix(string(err), code) || strings.Contains(string(err), ": -"+code)
	})
}

func (l *client) currentNode() (node, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return node{}, store.ErrClosed
	}
	return l.node, nil
}

// replaceNode replaces a node by that at host, unless another caller has already replaced
// it. Calls in progress keep their connections.
func (l *client) replaceNode(old node, host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.node == old && !l.closed {
		l.node = l.newNode(host)
		old.Close()
	}
}

func (l *client) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.node.Close()
}

// newNode returns the node at host. It connects when it is used.
func (l *client) newNode(host string) node {
	dial := (&net.Dialer{Timeout: dialTimeout}).DialContext
	if l.address.tls {
		dial = (&tls.Dialer{
			NetDialer: &net.Dialer{Timeout: dialTimeout},
			Config:    &tls.Config{RootCAs: l.roots, MinVersion: tls.VersionTLS12},
		}).DialContext
	}
	options := []redis.DialOption{
		redis.DialContextFunc(dial),
		redis.DialUsername(l.address.user),
		redis.DialPassword(l.address.password),
		redis.DialDatabase(l.address.db),
		redis.DialReadTimeout(callTimeout),
		redis.DialWriteTimeout(callTimeout),
	}
	return node{host: host, Pool: &redis.Pool{
		MaxIdle: maxConnections, MaxActive: maxConnections, Wait: true,
		IdleTimeout: idleTimeout,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", host, options...)
		},
	}}
}
