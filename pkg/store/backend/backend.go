// Package backend opens a store by its URL.
package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/redis"
)

const schemes = "use memory:, bolt:PATH, redis://HOST or rediss://HOST"

// Open opens the store at a URL:
//
//	memory:         in this process; see package memory
//	bolt:PATH       in a file that one process holds at a time; see package bolt
//	redis://HOST    in Redis, for any number of processes; see package redis
//	rediss://HOST   the same with TLS
//
// The size of a value is not limited; see store.WithLargeValues.
//
// Because a URL may contain a password, errors show no more of it than the scheme and
// the host or path.
func Open(ctx context.Context, url string) (store.Store, error) {
	open, err := resolve(url)
	if err != nil {
		return nil, err
	}
	st, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return store.WithLargeValues(st), nil
}

// Check returns an error if url is not valid for Open. It opens nothing.
func Check(url string) error {
	_, err := resolve(url)
	return err
}

// Exclusive reports whether one process at a time has the store at url open.
func Exclusive(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return scheme == "memory" || scheme == "bolt"
}

// resolve returns the function that opens the store at url.
func resolve(url string) (func(context.Context) (store.Store, error), error) {
	scheme, rest, found := strings.Cut(url, ":")
	switch {
	case !found:
		return nil, errors.New("store: the url has no scheme: " + schemes)
	case scheme == "memory" && rest != "":
		return nil, errors.New("store: memory: takes nothing after the colon")
	case scheme == "memory":
		return func(context.Context) (store.Store, error) { return memory.New(), nil }, nil
	case scheme == "bolt" && (rest == "" || strings.HasPrefix(rest, "//")):
		return nil, errors.New("store: bolt: takes a path, relative as in bolt:data/tocsin.db or absolute as in bolt:/var/lib/tocsin/tocsin.db")
	case scheme == "bolt":
		return func(ctx context.Context) (store.Store, error) {
			s, err := bolt.Open(ctx, rest)
			if err != nil {
				return nil, err // s is a nil *bolt.Store, which is not a nil Store
			}
			return s, nil
		}, nil
	case scheme == "redis" || scheme == "rediss":
		if err := redis.Check(url); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		return func(ctx context.Context) (store.Store, error) {
			s, err := redis.Open(ctx, url)
			if err != nil {
				return nil, err // as above
			}
			return s, nil
		}, nil
	default:
		return nil, fmt.Errorf("store: unknown scheme %.20q: %s", scheme, schemes)
	}
}
