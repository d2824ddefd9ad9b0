package app

import (
	"context"
	"errors"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// peerInterval is the time between two registrations of a process, and peerExpiry
	// the time after the last one at which it no longer counts as a peer.
	peerInterval = 10 * time.Second
	peerExpiry   = 35 * time.Second
	maxPeers     = 100
)

// peer is a process on the store, as it is stored.
type peer struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	At      time.Time `json:"at"`
}

// keepRegistered registers the process until ctx is done, whatever its rounds do.
func (s *Server) keepRegistered(ctx context.Context) {
	every := time.NewTicker(peerInterval)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := s.registerPeer(ctx, s.options.Now(), false); err != nil && ctx.Err() == nil {
				s.options.Log.Warn("peer registration failed", "err", err)
			}
		}
	}
}

// registerPeer makes this process known to the others on the store, and records that
// alerts can be received. started is for the start of a process that alone has the store
// open.
func (s *Server) registerPeer(ctx context.Context, now time.Time, started bool) error {
	c, err := store.Encode(keyspace.Peer+s.options.Name, peer{Name: s.options.Name, Address: s.options.Address, At: now})
	if err != nil {
		return err
	}
	c.Expires = now.Add(peerExpiry)
	engine := s.current.Load().app.engine
	record := engine.RecordIntake
	if started {
		record = engine.RecordStart
	}
	err = record(ctx, now, peerInterval, c)
	if ctx.Err() == nil {
		s.options.health.recordWrite(err)
	}
	if errors.Is(err, store.ErrFull) { // which takes the refreshes of alerts
		err = errors.Join(err, record(ctx, now, peerInterval))
	}
	return err
}

// peers returns the live processes on the store: this one alone if none is known.
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
		if found, err := store.Decode(it, &p); found && err == nil && now.Sub(p.At).Abs() < peerExpiry {
			all = append(all, api.Peer{Name: p.Name, Address: p.Address})
		}
	}
	if len(all) == 0 {
		return []api.Peer{self}
	}
	return all
}
