package app

import (
	"context"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// peerEvery is how often a process says that it lives, and peerGone how long
	// after the last time it counts as gone.
	peerEvery = 10 * time.Second
	peerGone  = 35 * time.Second
	maxPeers  = 100
)

// peer is a process on the store.
type peer struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	At      time.Time `json:"at"`
}

// announce says to the other processes on the store that this one lives.
func (s *Server) announce(ctx context.Context, now time.Time) error {
	c, err := store.Encode(keyspace.Peer+s.options.Name, peer{Name: s.options.Name, Address: s.options.Address, At: now})
	if err != nil {
		return err
	}
	c.Expires = now.Add(peerGone)
	return s.store.Commit(ctx, now, c)
}

// peers returns the processes that live, this one first if no other is known.
func (s *Server) peers(ctx context.Context) []api.Peer {
	self := api.Peer{Name: s.options.Name, Address: s.options.Address}
	items, err := s.store.List(ctx, keyspace.Peer, "", maxPeers)
	if err != nil {
		return []api.Peer{self}
	}
	now := s.options.Now()
	var all []api.Peer
	for _, it := range items {
		var p peer
		if found, err := store.Decode(it, &p); found && err == nil && now.Sub(p.At) < peerGone {
			all = append(all, api.Peer{Name: p.Name, Address: p.Address})
		}
	}
	if len(all) == 0 {
		return []api.Peer{self}
	}
	return all
}
