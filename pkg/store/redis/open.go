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

// Open opens the store at a URL of the form
//
//	redis://USER:PASSWORD@HOST:PORT/DB
//
// or rediss:// for TLS with a certificate that the system's roots trust. USER may be
// empty, and user and password, PORT (default 6379) and DB (default 0) may be left
// out. Special characters in user and password are percent-encoded. There are no
// parameters. HOST may be any node of a cluster.
//
// Open sends one request. Its error wraps store.ErrUnavailable when the server does
// not answer or rejects the user. A server that may evict keys is rejected with an
// error that does not wrap it, because Redis would delete alerts.
func Open(ctx context.Context, url string) (*Store, error) { return open(ctx, url, nil) }

// Check returns an error if url is not valid for Open. It opens nothing.
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
		client:       newClient(at, roots),
		commitScript: redis.NewScript(4, commitLua),
		rangeScript:  redis.NewScript(2, rangeLua),
		nextScript:   redis.NewScript(1, nextLua),
	}
	if err := s.checkEviction(ctx); err != nil {
		return nil, errors.Join(s.wrapError("open", err), s.Close())
	}
	return s, nil
}

// checkEviction rejects a server that evicts keys when its memory is full. It accepts
// one that does not report its policy because the user lacks the right or a proxy does
// not support INFO.
func (s *Store) checkEviction(ctx context.Context) error {
	memory, err := redis.String(s.client.read(ctx, func(c redis.Conn) (any, error) {
		return redis.DoContext(c, ctx, "INFO", "memory")
	}))
	var reply redis.Error
	if errors.As(err, &reply) && (strings.HasPrefix(string(reply), "NOPERM") || strings.HasPrefix(string(reply), "ERR unknown command")) {
		return nil
	}
	if err != nil {
		return err
	}
	info := map[string]string{}
	for line := range strings.Lines(memory) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	policy := info["maxmemory_policy"]
	if strings.HasPrefix(policy, "allkeys-") && info["maxmemory"] != "0" {
		return fmt.Errorf("maxmemory-policy is %s: when its memory is full, Redis would delete Tocsin's data: set it to noeviction", policy)
	}
	return nil
}

// address is a parsed URL.
type address struct {
	tls            bool
	host           string // with the port
	user, password string
	db             int
}

// parse parses a URL. Its errors do not quote it: any part of a malformed URL may be
// part of the password.
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
			return address{}, errors.New("redis: the path must be the number of a database: the url must be of the form " + form)
		}
	}
	return at, nil
}

// name returns the URL without user and password.
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
