package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
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
	pool   *redis.Pool
}

func newClient(at address, roots *x509.CertPool) *client {
	l := &client{address: at, roots: roots}
	l.pool = l.newPool(at.host)
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
	for moves := 0; ; {
		conns, err := l.currentPool()
		if err != nil {
			return nil, err
		}
		reply, err := withConn(ctx, conns, send)
		if err == nil {
			return reply, nil
		}
		var errorReply redis.Error
		if errors.As(err, &errorReply) {
			to, moved := movedTo(errorReply)
			if !moved || moves == maxRedirects {
				return nil, explain(ctx, err)
			}
			moves++
			l.replacePool(conns, to)
			continue
		}
		// After a restart or a freeze the other connections are broken too, and the
		// keys may have moved: start again from the node of the URL.
		l.replacePool(conns, l.address.host)
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

// movedTo returns the node of a redirection, such as "MOVED 3999 10.0.0.2:6379".
func movedTo(err redis.Error) (host string, moved bool) {
	words := strings.Fields(string(err))
	if len(words) != 3 || words[0] != "MOVED" {
		return "", false
	}
	return words[2], true
}

func (l *client) currentPool() (*redis.Pool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, store.ErrClosed
	}
	return l.pool, nil
}

// replacePool replaces the pool by one of connections to host, unless another caller
// has already replaced it. Calls in progress keep their connections.
func (l *client) replacePool(old *redis.Pool, host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pool == old && !l.closed {
		l.pool = l.newPool(host)
		old.Close()
	}
}

func (l *client) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.pool.Close()
}

// newPool returns a pool for a node. It connects when it is used.
func (l *client) newPool(host string) *redis.Pool {
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
	return &redis.Pool{
		MaxIdle: maxConnections, MaxActive: maxConnections, Wait: true,
		IdleTimeout: idleTimeout,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", host, options...)
		},
	}
}
