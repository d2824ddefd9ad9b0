package lag

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// settlement is a cluster's judgement on its way into the store.
type settlement struct {
	cluster string
	item    store.Item // as it was read; its value is kept up to date
	state   *State     // as it shall be in the end; nil for a cluster that is gone
	alerts  []*alert.Alert
}

// judge judges one poll and commits its state, with what ended still in it. It
// returns nil when the judgement of another instance stands, or the state could
// not be stored.
func (w *Watcher) judge(ctx context.Context, now time.Time, p *poll, it store.Item) (*settlement, error) {
	it.Key = statePrefix + p.cluster
	log := w.Log.With("cluster", p.cluster)
	prev, err := DecodeState(it.Value)
	switch {
	case errors.Is(err, ErrNewerState):
		return nil, fmt.Errorf("%s: %w", it.Key, err)
	case err != nil:
		// What fired before cannot be known any more. It must not be lost in
		// silence: the poll counts as failed, at once, and starts anew.
		log.Error("stored state of lag is damaged and was started anew: alerts that fired before it may have to be ended by hand", "key", it.Key, "err", err)
		prev = &State{Failure: Failure{Polls: 1, Since: now}}
		p.err = &damaged{p.cluster}
	}
	s := &settlement{cluster: p.cluster, item: it}
	j := NewJudge(w.Config.Rules, p.cluster, w.Language)
	if p.err != nil {
		log.Warn("poll failed", "err", p.err)
		s.state, s.alerts = j.Failed(prev, p.err, now)
	} else {
		s.state, s.alerts = j.Seen(prev, p.snap, now)
	}
	if prev != nil {
		s.state.Told = prev.Told
	}
	if len(s.alerts) > 0 {
		s.state.Told++
	}
	err = w.commit(ctx, now, s, s.state.holding(prev))
	if errors.Is(err, store.ErrConflict) {
		log.Info("another instance polled at the same time; its judgement stands")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// removed settles the clusters that are no longer in the configuration.
func (w *Watcher) removed(states map[string]store.Item, now time.Time) []*settlement {
	for _, c := range w.Config.Clusters {
		delete(states, c.Name)
	}
	var out []*settlement
	for _, cluster := range sortedKeys(states) {
		prev, err := DecodeState(states[cluster].Value)
		if err != nil {
			w.Log.Error("stored state of a removed cluster cannot be read: its alerts must be ended by hand", "cluster", cluster, "err", err)
			continue
		}
		alerts := NewJudge(nil, cluster, w.Language).Removed(prev, now)
		out = append(out, &settlement{cluster: cluster, item: states[cluster], alerts: alerts})
	}
	return out
}

// forget stores a state without what ended. If another instance has changed it
// meanwhile, the next poll says the ends again and forgets them.
func (w *Watcher) forget(ctx context.Context, now time.Time, s *settlement) error {
	final := store.Change{Key: s.item.Key, Delete: true}
	if s.state != nil {
		data, err := s.state.Encode()
		if err != nil || bytes.Equal(data, s.item.Value) || s.item.Value == nil {
			return err
		}
		final = store.Change{Key: s.item.Key, Value: data}
	}
	items, err := w.Store.Get(ctx, s.item.Key)
	if err != nil {
		return fmt.Errorf("read the state of lag: %w", err)
	}
	if !bytes.Equal(items[0].Value, s.item.Value) {
		return nil
	}
	final.If = store.Unchanged(items[0])
	if err := w.Store.Commit(ctx, now, final); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("store the state of lag: %w", err)
	}
	return nil
}

// commit stores a state, if it differs from what is stored.
func (w *Watcher) commit(ctx context.Context, now time.Time, s *settlement, state *State) error {
	data, err := state.Encode()
	if err != nil || bytes.Equal(data, s.item.Value) || s.item.Value == nil && state.empty() {
		return err
	}
	if err := w.Store.Commit(ctx, now, store.Change{Key: s.item.Key, Value: data, If: store.Unchanged(s.item)}); err != nil {
		return fmt.Errorf("store the state of lag: %w", err)
	}
	s.item.Value = data
	return nil
}

// damaged is why a poll counts as failed whose stored state cannot be read.
type damaged struct{ cluster string }

func (d *damaged) Error() string { return d.Text("en") }

func (d *damaged) Text(language string) string {
	return fmt.Sprintf(wordsIn(language).damaged, d.cluster)
}
