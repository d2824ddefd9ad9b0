package lag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// parallelReads is how many clusters are read at a time.
const parallelReads = 8

// Watcher polls the clusters of a configuration.
type Watcher struct {
	// Config is a validated configuration.
	Config *Config
	// Readers read the clusters, by name. A cluster without one is left to
	// another Watcher on the same store.
	Readers map[string]Reader
	Store   store.Store
	// Ingest takes alerts in durably. It is given every firing alert at every
	// poll, and some alerts' ends more than once; saying the same thing once is
	// its business.
	Ingest func(ctx context.Context, now time.Time, alerts []*alert.Alert) error
	// Language is that of the built-in texts, "zh" or "en".
	Language string
	Log      *slog.Logger
}

// Summary is what a poll came to.
type Summary struct {
	Polled int // groups read
	Firing int // alerts firing, those about failed polls included
}

// Poll reads every cluster, judges what was seen, and hands the alerts to
// Ingest. Clusters are read at the same time and until a part of ctx's deadline
// is left for what comes after; what was not read by then is unknown.
//
// A cluster or a group that cannot be read is an alert, not an error. An error
// is trouble with the store or with Ingest; what it left undone the next poll
// does.
//
// Any number of instances may poll one store, and each may die at any moment.
// State is committed first, with the alerts that ended still firing in it, and
// with the window of the last polls; then all alerts are handed on; then the
// ended ones are forgotten. So what got lost on the way, a start or an end, is
// said again at the next poll, and nothing that was said to fire is forgotten
// before its end was said. A poll with alerts always changes the state: when two
// instances poll at the same time, the judgement of the first to commit stands,
// and the other hands on nothing.
func (w *Watcher) Poll(ctx context.Context, now time.Time) (Summary, error) {
	before, err := w.load(ctx)
	if err != nil {
		return Summary{}, err
	}
	polls := w.read(ctx, now, before)

	var sum Summary
	var errs []error
	var alerts []*alert.Alert
	var settled []*checkpoint
	for i := range polls {
		p := &polls[i]
		s, err := w.judge(ctx, now, p)
		delete(before, p.cluster)
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", p.cluster, err))
		}
		if s != nil {
			settled = append(settled, s)
			alerts = append(alerts, s.alerts...)
			sum.Polled += p.groups()
			sum.Firing += s.state.firing()
		}
	}
	for _, s := range w.removed(before, now) {
		settled = append(settled, s)
		alerts = append(alerts, s.alerts...)
	}
	if len(alerts) > 0 {
		if err := w.Ingest(ctx, now, alerts); err != nil {
			return sum, errors.Join(append(errs, fmt.Errorf("take in the alerts about lag: %w", err))...)
		}
	}
	for _, s := range settled {
		if err := w.forget(ctx, now, s); err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", s.cluster, err))
		}
	}
	return sum, errors.Join(errs...)
}

// LoadState returns the stored state of a cluster; nil when there is none.
func LoadState(ctx context.Context, st store.Store, cluster string) (*ClusterState, error) {
	items, err := st.Get(ctx, keyspace.Lag+cluster)
	if err != nil {
		return nil, fmt.Errorf("read the state of cluster %s: %w", cluster, err)
	}
	state, err := DecodeState(items[0].Value)
	if err != nil {
		return nil, fmt.Errorf("read the state of cluster %s (%s): %w", cluster, items[0].Key, err)
	}
	return state, nil
}

// poll is what came of reading one cluster.
type poll struct {
	cluster string
	stored  stored
	prev    *ClusterState
	window  *trend.Window // with this poll in it; nil when it is not to be stored
	snap    *Snapshot
	err     error
	// stop is why the cluster cannot be judged at all.
	stop error
}

// groups is how many groups were read.
func (p *poll) groups() int {
	n := 0
	if p.err == nil {
		for i := range p.snap.Groups {
			if p.snap.Groups[i].Err == nil {
				n++
			}
		}
	}
	return n
}

func (w *Watcher) read(ctx context.Context, now time.Time, before map[string]*stored) []poll {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		// A deadline is in real time, whatever the poll's now is.
		ctx, cancel = context.WithDeadline(ctx, readUntil(time.Now(), deadline))
		defer cancel()
	}
	var polls []poll
	for _, c := range w.Config.Clusters {
		if w.Readers[c.Name] == nil {
			continue
		}
		p := poll{cluster: c.Name, stored: stored{state: store.Item{Key: keyspace.Lag + c.Name}}}
		if m := before[c.Name]; m != nil {
			p.stored = *m
		}
		polls = append(polls, p)
	}
	var reads errgroup.Group
	reads.SetLimit(parallelReads)
	for i := range polls {
		reads.Go(func() error {
			p := &polls[i]
			if w.recall(p, now); p.stop == nil && p.err == nil {
				w.look(ctx, p, now)
			}
			return nil
		})
	}
	reads.Wait()
	return polls
}

// look reads a cluster, with what its rules need to know.
func (w *Watcher) look(ctx context.Context, p *poll, now time.Time) {
	reader := w.Readers[p.cluster]
	l := Poller{Config: w.Config, Cluster: p.cluster, Reader: reader, State: p.prev}
	if w.Config.judge(p.cluster, "").remembers(reader) {
		if l.Window = w.decode(p); p.stop != nil {
			return
		}
	}
	snap, err := l.Poll(ctx, now)
	if p.snap, p.err = snap, err; err != nil {
		return
	}
	p.window = l.Window
	if snap.PrimaryErr != nil {
		w.Log.Warn("a cluster cannot be read by Kafka's protocol and was read through the API", "cluster", p.cluster, "err", snap.PrimaryErr)
	}
}

// readUntil is when reading must end so that there is time to take the alerts
// in and to deliver them: a third of what is left, 2 s at least and 20 s at
// most, is kept for that. With less time than that, reading is still tried for
// up to a second, but not for more than half of what is left.
func readUntil(now, deadline time.Time) time.Time {
	left := deadline.Sub(now)
	reserve := min(max(left/3, 2*time.Second), 20*time.Second)
	if brief := min(left/2, time.Second); left-reserve < brief {
		reserve = left - brief
	}
	return deadline.Add(-reserve)
}
