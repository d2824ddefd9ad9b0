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

// checkpoint is the evaluation of a cluster between the two commits of Watcher.Poll.
type checkpoint struct {
	cluster string
	item    store.Item    // the stored state, with the value of the first commit
	state   *ClusterState // without the ended alerts; nil for a removed cluster
	removed chunks        // the stored window of a removed cluster
	alerts  []*alert.Alert
}

// decodeState decodes the stored state of a cluster. A damaged one is reset, and the
// poll counts as failed: the alerts that fired are lost, which must be noticed.
func (w *Watcher) decodeState(p *clusterPoll, now time.Time) {
	prev, err := decodeStateItem(p.stored.state)
	switch {
	case errors.Is(err, ErrNewerState):
		p.fatal = fmt.Errorf("%s: %w", p.stored.state.Key, err)
	case err != nil:
		w.Log.Error("stored lag state is damaged and was reset: alerts that fired before may have to be ended by hand",
			"cluster", p.cluster, "key", p.stored.state.Key, "err", err)
		// One failure fewer than it takes: the alert fires at once.
		p.prev = &ClusterState{Failures: PollFailures{Polls: firingPolls - 1, Since: now}}
		p.err = &damagedStateError{p.cluster}
	default:
		prev.correct(now)
		p.prev = prev
	}
}

// decodeWindow decodes the stored window of a cluster. A damaged one is reset: its
// conditions are unknown for some polls, and no alert resolves by that. One of a
// newer version must not be overwritten. One whose last poll is in the future is reset
// too: the clock was ahead, and no poll would be added to it.
func (w *Watcher) decodeWindow(p *clusterPoll, now time.Time) *trend.Window {
	window, err := p.stored.window.window()
	switch {
	case errors.Is(err, trend.ErrNewerVersion):
		p.fatal = fmt.Errorf("%s%s: %w", keyspace.LagTrend, p.cluster, err)
	case err != nil:
		w.Log.Warn("stored lag window is damaged and was reset", "cluster", p.cluster, "err", err)
	}
	ahead := p.stored.window.lastPoll().Sub(now)
	if ahead > maxClockSkew {
		w.Log.Error("the clock was ahead at the last poll; the lag window was reset", "cluster", p.cluster, "ahead", ahead)
	}
	if window == nil || err != nil || ahead > maxClockSkew {
		window = &trend.Window{}
	}
	return window
}

// evaluate evaluates one poll and commits its state, with the ended alerts still
// firing. It returns nil when another instance has committed first, or the commit
// failed.
func (w *Watcher) evaluate(ctx context.Context, now time.Time, p *clusterPoll) (*checkpoint, error) {
	if p.fatal != nil {
		return nil, p.fatal
	}
	c := &checkpoint{cluster: p.cluster, item: p.stored.state}
	e := w.Config.evaluator(p.cluster, w.Language)
	log := w.Log.With("cluster", p.cluster)
	if p.err != nil {
		log.Warn("poll failed", "err", p.err)
		c.state, c.alerts = e.EvaluateFailure(p.prev, p.err, now)
	} else {
		c.state, c.alerts = e.Evaluate(p.prev, p.snap, now)
		w.attachHistory(p, c.alerts, now)
		if p.fatal != nil {
			return nil, p.fatal
		}
	}
	if p.prev != nil {
		c.state.AlertPolls = p.prev.AlertPolls
	}
	if len(c.alerts) > 0 {
		c.state.AlertPolls++
	}
	err := w.commitPoll(ctx, now, p, c)
	if errors.Is(err, store.ErrConflict) {
		log.Info("another instance polled at the same time and committed first")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// historyInterval is how often the window is stored of a cluster whose rules do not
// need it, unless there are alerts.
const historyInterval = 5 * time.Minute

// attachHistory adds the history of lag to alerts. Where the rules do not need the
// window, it is updated only when there are alerts, and every historyInterval, so
// that quiet polls cost nothing.
func (w *Watcher) attachHistory(p *clusterPoll, alerts []*alert.Alert, now time.Time) {
	if p.window == nil {
		if len(alerts) == 0 && now.Sub(p.stored.window.lastPoll()).Abs() < historyInterval {
			return
		}
		p.window = w.decodeWindow(p, now)
		p.window.Add(now, trendGroups(p.snap), p.snap.Complete && p.snap.Err == nil, false)
	}
	attachHistory(alerts, p.window)
}

// endRemovedClusters ends the alerts of the clusters that are stored and no longer
// in the configuration.
func (w *Watcher) endRemovedClusters(stored map[string]*storedCluster, now time.Time) []*checkpoint {
	for _, c := range w.Config.Clusters {
		delete(stored, c.Name)
	}
	var out []*checkpoint
	for _, cluster := range sortedKeys(stored) {
		prev, err := decodeStateItem(stored[cluster].state)
		if err != nil {
			w.Log.Error("stored lag state of a removed cluster cannot be read: its alerts must be ended by hand", "cluster", cluster, "err", err)
			continue
		}
		alerts := NewEvaluator(nil, cluster, w.Language).EndAll(prev, now)
		out = append(out, &checkpoint{cluster: cluster, item: stored[cluster].state, removed: stored[cluster].window, alerts: alerts})
	}
	return out
}

// commitPoll stores the state, with the ended alerts still firing, and the window,
// as far as they have changed.
func (w *Watcher) commitPoll(ctx context.Context, now time.Time, p *clusterPoll, c *checkpoint) error {
	state := c.state.withEnded(p.prev)
	data, err := state.Encode()
	if err != nil {
		return err
	}
	change := store.Change{Key: c.item.Key, If: store.Unchanged(c.item)}
	if !bytes.Equal(data, c.item.Value) && (c.item.Value != nil || !state.empty()) {
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
		return fmt.Errorf("store lag state: %w", err)
	}
	if change.Value != nil {
		c.item.Value = data
	}
	return nil
}

// commitEnds stores the state without the ended alerts. If another instance has
// changed it meanwhile, the next poll ingests the ends again.
func (w *Watcher) commitEnds(ctx context.Context, now time.Time, c *checkpoint) error {
	change := store.Change{Key: c.item.Key, Delete: true}
	if c.state != nil {
		data, err := c.state.Encode()
		if err != nil || bytes.Equal(data, c.item.Value) || c.item.Value == nil {
			return err
		}
		change = store.Change{Key: c.item.Key, Value: data}
	}
	items, err := w.Store.Get(ctx, c.item.Key)
	if err != nil {
		return fmt.Errorf("read lag state: %w", err)
	}
	if !bytes.Equal(items[0].Value, c.item.Value) {
		return nil
	}
	change.If = store.Unchanged(items[0])
	changes := []store.Change{change}
	for _, it := range c.removed {
		changes = append(changes, store.Change{Key: it.Key, Delete: true})
	}
	if err := w.Store.Commit(ctx, now, changes...); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("store lag state: %w", err)
	}
	return nil
}

// damagedStateError is the error of a poll whose stored state is damaged.
type damagedStateError struct{ cluster string }

func (e *damagedStateError) Error() string { return e.Text("en") }

// Text returns the message in a language, "zh" or "en".
func (e *damagedStateError) Text(language string) string {
	return fmt.Sprintf(messagesIn(language).stateDamaged, e.cluster)
}
