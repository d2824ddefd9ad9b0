package lag

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// settlement is a cluster's judgement on its way into the store.
type checkpoint struct {
	cluster string
	item    store.Item    // as it was read; its value is kept up to date
	state   *ClusterState // as it shall be in the end; nil for a cluster that is gone
	gone    chunks        // of the window of a cluster that is gone
	alerts  []*alert.Alert
}

// recall decodes the stored state of a cluster that is polled.
func (w *Watcher) recall(p *poll, now time.Time) {
	prev, err := DecodeState(p.stored.state.Value)
	switch {
	case errors.Is(err, ErrNewerState):
		p.stop = fmt.Errorf("%s: %w", p.stored.state.Key, err)
	case err != nil:
		// What fired before cannot be known any more. It must not be lost in
		// silence: the poll counts as failed, at once, and starts anew.
		w.Log.Error("stored state of lag is damaged and was started anew: alerts that fired before it may have to be ended by hand",
			"cluster", p.cluster, "key", p.stored.state.Key, "err", err)
		p.prev = &ClusterState{Failures: PollFailures{Polls: 1, Since: now}}
		p.err = &damaged{p.cluster}
	default:
		p.prev = prev
	}
}

// decode decodes the stored window of a cluster. A damaged one starts anew: what
// it should tell is unknown for some polls, and no alert ends by that. A newer
// one must not be overwritten.
func (w *Watcher) decode(p *poll) *trend.Window {
	window, err := p.stored.window.window()
	switch {
	case errors.Is(err, trend.ErrNewerVersion):
		p.stop = fmt.Errorf("%s%s: %w", keyspace.LagTrend, p.cluster, err)
	case err != nil:
		w.Log.Warn("the stored window of lag is damaged and was started anew", "cluster", p.cluster, "err", err)
	}
	if window == nil || err != nil {
		window = &trend.Window{}
	}
	return window
}

// judge judges one poll and commits its state, with what ended still in it. It
// returns nil when the judgement of another instance stands, or the state could
// not be stored.
func (w *Watcher) judge(ctx context.Context, now time.Time, p *poll) (*checkpoint, error) {
	if p.stop != nil {
		return nil, p.stop
	}
	s := &checkpoint{cluster: p.cluster, item: p.stored.state}
	j := w.Config.judge(p.cluster, w.Language)
	log := w.Log.With("cluster", p.cluster)
	if p.err != nil {
		log.Warn("poll failed", "err", p.err)
		s.state, s.alerts = j.EvaluateFailure(p.prev, p.err, now)
	} else {
		s.state, s.alerts = j.Evaluate(p.prev, p.snap, now)
		w.picture(p, s.alerts, now)
		if p.stop != nil {
			return nil, p.stop
		}
	}
	if p.prev != nil {
		s.state.AlertPolls = p.prev.AlertPolls
	}
	if len(s.alerts) > 0 {
		s.state.AlertPolls++
	}
	err := w.commit(ctx, now, p, s)
	if errors.Is(err, store.ErrConflict) {
		log.Info("another instance polled at the same time; its judgement stands")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// picture adds the history of lag to alerts. Of a cluster whose rules need no
// more of the window, it is taken in only when there are alerts, and from time to
// time: that costs quiet polls nothing.
func (w *Watcher) picture(p *poll, alerts []*alert.Alert, now time.Time) {
	if p.window == nil {
		if len(alerts) == 0 && now.Sub(p.stored.window.last()) < pictureStep {
			return
		}
		p.window = w.decode(p)
		p.window.Add(now, trends(p.snap), p.snap.Complete && p.snap.Err == nil, false)
	}
	attachHistory(alerts, p.window)
}

// removed settles the clusters that are no longer in the configuration.
func (w *Watcher) removed(before map[string]*stored, now time.Time) []*checkpoint {
	for _, c := range w.Config.Clusters {
		delete(before, c.Name)
	}
	var out []*checkpoint
	for _, cluster := range sortedKeys(before) {
		prev, err := DecodeState(before[cluster].state.Value)
		if err != nil {
			w.Log.Error("stored state of a removed cluster cannot be read: its alerts must be ended by hand", "cluster", cluster, "err", err)
			continue
		}
		alerts := NewEvaluator(nil, cluster, w.Language).EndAll(prev, now)
		out = append(out, &checkpoint{cluster: cluster, item: before[cluster].state, gone: before[cluster].window, alerts: alerts})
	}
	return out
}

// commit stores a state with what ended still in it, and the window, as far as
// they differ from what is stored.
func (w *Watcher) commit(ctx context.Context, now time.Time, p *poll, s *checkpoint) error {
	held := s.state.holding(p.prev)
	data, err := held.Encode()
	if err != nil {
		return err
	}
	change := store.Change{Key: s.item.Key, If: store.Unchanged(s.item)}
	if !bytes.Equal(data, s.item.Value) && (s.item.Value != nil || !held.empty()) {
		change.Value = data
	}
	changes := []store.Change{change}
	if p.window != nil {
		window, err := p.stored.window.changes(p.cluster, p.window, now)
		if err != nil {
			return err
		}
		changes = append(changes, window...)
	}
	if change.Value == nil && len(changes) == 1 {
		return nil
	}
	if err := w.Store.Commit(ctx, now, changes...); err != nil {
		return fmt.Errorf("store the state of lag: %w", err)
	}
	if change.Value != nil {
		s.item.Value = data
	}
	return nil
}

// forget stores a state without what ended. If another instance has changed it
// meanwhile, the next poll says the ends again and forgets them.
func (w *Watcher) forget(ctx context.Context, now time.Time, s *checkpoint) error {
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
	changes := []store.Change{final}
	for _, it := range s.gone {
		changes = append(changes, store.Change{Key: it.Key, Delete: true})
	}
	if err := w.Store.Commit(ctx, now, changes...); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("store the state of lag: %w", err)
	}
	return nil
}

// damaged is why a poll counts as failed whose stored state cannot be read.
type damaged struct{ cluster string }

func (d *damaged) Error() string { return d.Text("en") }

func (d *damaged) Text(language string) string {
	return fmt.Sprintf(wordsIn(language).damaged, d.cluster)
}
