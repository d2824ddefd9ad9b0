package redis

import (
	"context"
	"crypto/x509"
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
)

// Open opens the store at a url of the form
//
//	redis://USER:PASSWORD@HOST:PORT/DB
//
// or rediss:// for TLS, whose certificate the system's roots must vouch for. USER
// may be empty, and user and password may be left out, as may PORT (6379) and DB
// (0). Special characters of either are percent-encoded. There are no parameters.
//
// Open asks the server once. Of a cluster, HOST may be any node.
//
// The error wraps store.ErrUnavailable when the server does not answer or refuses
// the user; it does not when the server may evict keys, which would be alerts.
func Open(ctx context.Context, url string) (*Store, error) { return open(ctx, url, nil) }

// Check tells whether Open would understand url. It opens nothing.
func Check(url string) error {
	_, err := parse(url)
	return err
}

func open(ctx context.Context, url string, roots *x509.CertPool) (*Store, error) {
	at, err := parse(url)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client:         newClient(at, roots),
		commitScript: redis.NewScript(4, commitLua),
		rangeScript:  redis.NewScript(2, rangeLua),
		nextScript:   redis.NewScript(1, nextLua),
	}
	if err := s.checkEviction(ctx); err != nil {
		return nil, errors.Join(s.wrapError("open", err), s.Close())
	}
	return s, nil
}

// check refuses a server that drops keys when its memory is full. It lets pass
// one that does not tell: that the user may not ask, or a proxy does not know.
func (s *Store) checkEviction(ctx context.Context) error {
	info, err := redis.String(s.client.read(ctx, func(c redis.Conn) (any, error) {
		return redis.DoContext(c, ctx, "INFO", "memory")
	}))
	var refused redis.Error
	if errors.As(err, &refused) && (strings.HasPrefix(string(refused), "NOPERM") || strings.HasPrefix(string(refused), "ERR unknown command")) {
		return nil
	}
	if err != nil {
		return err
	}
	setting := map[string]string{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		setting[name] = value
	}
	policy := setting["maxmemory_policy"]
	if strings.HasPrefix(policy, "allkeys-") && setting["maxmemory"] != "0" {
		return fmt.Errorf("maxmemory-policy is %s: when its memory is full, Redis would drop what Tocsin keeps: set it to noeviction", policy)
	}
	return nil
}

// address is a url, taken apart.
type address struct {
	tls            bool
	host           string // with the port
	user, password string
	db             int
}

// parse takes a url apart. Its errors show nothing of it: where it is malformed,
// any part of it may be one of the password.
func parse(raw string) (address, error) {
	const form = "redis://USER:PASSWORD@HOST:PORT/DB, with user and password percent-encoded (@ as %40, / as %2F, # as %23)"
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Fragment != "" {
		return address{}, errors.New("redis: the url must be of the form " + form)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return address{}, errors.New("redis: the url takes no parameters: it must be of the form " + form)
	}
	at := address{tls: u.Scheme == "rediss", host: u.Host, user: u.User.Username()}
	if u.Port() == "" {
		at.host = net.JoinHostPort(u.Hostname(), "6379")
	}
	if at.password, _ = u.User.Password(); at.user != "" && at.password == "" {
		return address{}, errors.New("redis: the url has a user but no password: for a password alone write redis://:PASSWORD@HOST")
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		if at.db, err = strconv.Atoi(db); err != nil || at.db < 0 {
			return address{}, errors.New("redis: what follows the host must be the number of a database: the url must be of the form " + form)
		}
	}
	return at, nil
}

// name is the url without user and password.
func (at address) name() string {
	scheme := "redis"
	if at.tls {
		scheme = "rediss"
	}
	return fmt.Sprintf("%s://%s/%d", scheme, at.host, at.db)
}

var (
	//go:embed commit.lua
	commitLua string
	//go:embed range.lua
	rangeLua string
	//go:embed next.lua
	nextLua string

	_ store.Store = (*Store)(nil)
)
