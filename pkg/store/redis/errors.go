package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
)

// explain adds to an error of the Redis client what an operator can do about it. The
// result wraps store.ErrUnavailable when the cause may pass.
func explain(ctx context.Context, err error) error {
	var reply redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reply):
		return explainReply(reply)
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	default:
		return fmt.Errorf("%w: no answer: check that Redis is running, that host and port are right, that the scheme is rediss:// with TLS and redis:// without, that a function is in its network (VPC), and that no firewall or security group blocks the way: %w", store.ErrUnavailable, err)
	}
}

// explainReply explains an error reply. Redis 6 prefixes errors of commands in a script
// with its own text, so the error code may be anywhere in it.
func explainReply(err redis.Error) error {
	for _, known := range []struct{ code, advice string }{
		{"WRONGPASS", "user or password is wrong: correct the url"},
		{"NOAUTH", "it requires a password: put it into the url"},
		{"ERR AUTH", "it has no such user or password: correct the url"},
		{"ERR invalid password", "the password is wrong: correct the url"},
		{"NOPERM", "the user lacks a right: grant those that docs/store.md lists"},
		{"READONLY", "this is a replica, also for a new connection: let the url name the primary, by a name or an address that follows a failover"},
		{"LOADING", "it is loading its data after a start and will be ready soon"},
		{"MISCONF", "it cannot write to its disk: make room there, and check its log"},
		{"NOREPLICAS", "too few replicas are connected for a write: find out why, or lower min-replicas-to-write"},
		{"MASTERDOWN", "this is a replica that lost its primary, also for a new connection: let the url name the primary, by a name or an address that follows a failover"},
		{"CLUSTERDOWN", "the cluster is not complete: check CLUSTER INFO"},
		{"ASK", "the cluster is moving the keys: they will be available soon"},
		{"TRYAGAIN", "the cluster is moving the keys: they will be available soon"},
		{"MOVED", "the nodes of the cluster do not agree which one has the keys: check CLUSTER NODES"},
		{"BUSY", "a script of another program blocks it: check SLOWLOG"},
		{"ERR max number of clients reached", "too many clients are connected: raise maxclients"},
		{"ERR DB index is out of range", "it has no such database: correct the number at the end of the url; a cluster has only 0"},
		{"ERR SELECT is not allowed", "a cluster has only database 0: correct the number at the end of the url"},
	} {
		if strings.Contains(string(err), known.code) {
			return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, known.advice, err)
		}
	}
	if strings.Contains(string(err), "OOM") {
		return fmt.Errorf("%w: raise maxmemory, or make room: %w", store.ErrFull, err)
	}
	if strings.Contains(string(err), "WRONGTYPE") {
		return fmt.Errorf("%w: one of %s, %s, %s and %s belongs to another program: give Tocsin a database of its own", err, itemsKey, keysKey, dueKey, expiresKey)
	}
	return err
}

// errUnexpectedReply is returned for a reply of the wrong type or length.
var errUnexpectedReply = errors.New("the reply is not what Redis sends: is it Redis 6 or newer, without a proxy that changes replies?")
