package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
)

// explain returns what a caller needs to know of an error of the client: whether
// the store is unavailable, and what a person can do about it.
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
		return fmt.Errorf("%w: no answer: see that Redis runs, that host and port are right, that rediss:// stands for TLS and redis:// for none, and that no firewall or security group is between: %w", store.ErrUnavailable, err)
	}
}

// explainReply does so for an error that Redis replied with. Redis 6 puts the
// error of a command in a script behind words of its own, so the code may stand
// anywhere in the text.
func explainReply(err redis.Error) error {
	for _, known := range []struct{ code, advice string }{
		{"WRONGPASS", "user or password is wrong: correct the url"},
		{"NOAUTH", "it asks for a password: put it into the url"},
		{"ERR AUTH", "it has no such user or password: correct the url"},
		{"ERR invalid password", "the password is wrong: correct the url"},
		{"NOPERM", "the user may not do that: grant it the rights that docs/store.md lists"},
		{"READONLY", "this is a replica: let the url name the primary"},
		{"LOADING", "it is reading its data after a start: it will be there soon"},
		{"OOM", "its memory is full: raise maxmemory, or make room"},
		{"MISCONF", "it cannot write to its disk: make room there, and see its log"},
		{"NOREPLICAS", "too few replicas are connected for a write: see why, or lower min-replicas-to-write"},
		{"MASTERDOWN", "this is a replica that lost its primary: let the url name the primary"},
		{"CLUSTERDOWN", "the cluster is not whole: see CLUSTER INFO"},
		{"ASK", "the cluster is moving the keys: it will be there soon"},
		{"TRYAGAIN", "the cluster is moving the keys: it will be there soon"},
		{"MOVED", "the nodes of the cluster do not agree which has the keys: see CLUSTER NODES"},
		{"BUSY", "a script of another program holds it up: see SLOWLOG"},
		{"ERR max number of clients reached", "too many clients are connected: raise maxclients"},
		{"ERR DB index is out of range", "it has no such database: correct the number at the end of the url; a cluster has only 0"},
		{"ERR SELECT is not allowed", "a cluster has only database 0: correct the number at the end of the url"},
	} {
		if strings.Contains(string(err), known.code) {
			return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, known.advice, err)
		}
	}
	if strings.Contains(string(err), "WRONGTYPE") {
		return fmt.Errorf("%w: one of %s, %s, %s and %s is another program's: give Tocsin a database of its own", err, itemsKey, keysKey, dueKey, expiresKey)
	}
	return err
}

// errStrange is the error for an answer that is not what the command gives.
var errUnexpectedReply = errors.New("the answer is not Redis's: is it Redis 6 or newer, and no proxy that changes answers?")
