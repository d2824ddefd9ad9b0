package notify

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"tocsin/pkg/render"
	"tocsin/pkg/store"
)

// Env is what every channel may use of the world outside. One Env serves all
// channels of a process, so that connections are shared and kept.
type Env struct {
	// HTTP follows no redirects, verifies TLS and keeps its connections.
	HTTP *http.Client
	// Dial opens the connections that are not HTTP (SMTP).
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is the base configuration of those connections; nil means the
	// system's roots. It is cloned, never changed.
	TLS *tls.Config
	// Now is the clock for what leaves with a message: a signature's timestamp,
	// a Date header.
	Now func() time.Time
	// Lookup reads the environment at every use, as os.LookupEnv does: the keys
	// of a function's role are renewed there. Nil is an empty environment.
	Lookup func(name string) (string, bool)
	// Store keeps what a channel shares between all instances, such as an access
	// token, under keys that begin with "channel/". Nil means that each process
	// keeps it to itself.
	Store store.Store
	render.Style
}
