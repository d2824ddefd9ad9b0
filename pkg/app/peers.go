package app

import (
	"context"
	"encoding/json"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
)

const (
	peerPrefix = "peer/"
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
	b, err := json.Marshal(peer{Name: s.options.Name, Address: s.options.Address, At: now})
	if err != nil {
		return err
	}
	return s.store.Commit(ctx, now, store.Change{Key: peerPrefix + s.options.Name, Value: b, Expires: now.Add(peerGone)})
}

// peers returns the processes that live, this one first if no other is known.
func (s *Server) peers(ctx context.Context) []api.Peer {
	self := api.Peer{Name: s.options.Name, Address: s.options.Address}
	items, err := s.store.List(ctx, peerPrefix, "", maxPeers)
	if err != nil {
		return []api.Peer{self}
	}
	now := s.options.Now()
	var all []api.Peer
	for _, it := range items {
		var p peer
		if json.Unmarshal(it.Value, &p) == nil && now.Sub(p.At) < peerGone {
			all = append(all, api.Peer{Name: p.Name, Address: p.Address})
		}
	}
	if len(all) == 0 {
		return []api.Peer{self}
	}
	return all
}
