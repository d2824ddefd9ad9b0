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

// parallelPolls is how many clusters are polled at a time.
const parallelPolls = 8

// Watcher polls the clusters of a configuration.
type Watcher struct {
	// Config is a validated configuration.
	Config *Config
	// Readers read the clusters, by name. A cluster without one is left to
	// another Watcher on the same store.
	Readers map[string]Reader
	Store   store.Store
	// Ingest stores alerts durably. It receives every firing alert at every poll,
	// and the end of an alert possibly more than once; it deduplicates them.
	Ingest func(ctx context.Context, now time.Time, alerts []*alert.Alert) error
	// Language is that of the built-in texts, "zh" or "en".
	Language string
	Log      *slog.Logger
	// Metrics exports what was polled; nil exports nothing.
	Metrics *Metrics
}

// Summary is the result of a poll.
type Summary struct {
	Polled int // groups read
	Firing int // firing alerts, including those of failed polls
}

// Poll reads every cluster, evaluates the rules, and passes the alerts to Ingest.
// Clusters are read concurrently, until a part of the time before ctx's deadline is
// left for ingesting and delivering; groups not read by then are unknown.
//
// A cluster or group that cannot be read is an alert, not an error. An error is one
// of the store or of Ingest; the next poll does what this one left undone.
//
// Several instances may poll on one store, and each may be killed at any moment.
// First the state and the window are committed, with the ended alerts still
// firing in the state. Then all alerts are ingested. Then the state is committed
// without the ended ones. If an instance is killed in between, the next poll
// ingests the start or the end of an alert again, and no firing alert is dropped
// before its end was ingested. A poll with alerts always changes the state: of two
// concurrent ones, the first to commit wins and the other ingests nothing.
func (w *Watcher) Poll(ctx context.Context, now time.Time) (Summary, error) {
	stored, err := w.loadStored(ctx)
	if err != nil {
		return Summary{}, err
	}
	polls := w.pollClusters(ctx, now, stored)
	w.Metrics.record(w.Config, polls, now, w.Log)

	var sum Summary
	var errs []error
	var alerts []*alert.Alert
	var checkpoints []*checkpoint
	for i := range polls {
		p := &polls[i]
		c, err := w.evaluate(ctx, now, p)
		delete(stored, p.cluster)
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", p.cluster, err))
		}
		if c != nil {
			checkpoints = append(checkpoints, c)
			alerts = append(alerts, c.alerts...)
			sum.Polled += p.groupsRead()
			sum.Firing += c.state.firing()
		}
	}
	for _, c := range w.endRemovedClusters(stored, now) {
		checkpoints = append(checkpoints, c)
		alerts = append(alerts, c.alerts...)
	}
	if len(alerts) > 0 {
		if err := w.Ingest(ctx, now, alerts); err != nil {
			return sum, errors.Join(append(errs, fmt.Errorf("ingest lag alerts: %w", err))...)
		}
	}
	for _, c := range checkpoints {
		if err := w.commitEnds(ctx, now, c); err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", c.cluster, err))
		}
	}
	return sum, errors.Join(errs...)
}

// clusterPoll is one poll of a cluster.
type clusterPoll struct {
	cluster string
	stored  storedCluster
	prev    *ClusterState
	window  *trend.Window // including this poll; nil when it is not to be stored
	snap    *Snapshot
	err     error // why the cluster could not be read
	// fatal is why the cluster cannot be evaluated and its state must not be
	// overwritten.
	fatal error
}

// groupsRead returns how many groups were read.
func (p *clusterPoll) groupsRead() int {
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

// pollClusters polls all clusters that have a Reader.
func (w *Watcher) pollClusters(ctx context.Context, now time.Time, stored map[string]*storedCluster) []clusterPoll {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		// A deadline is in real time, whatever the poll's now is.
		ctx, cancel = context.WithDeadline(ctx, readDeadline(time.Now(), deadline))
		defer cancel()
	}
	var polls []clusterPoll
	for _, c := range w.Config.Clusters {
		if w.Readers[c.Name] == nil {
			continue
		}
		p := clusterPoll{cluster: c.Name, stored: storedCluster{state: store.Item{Key: keyspace.Lag + c.Name}}}
		if s := stored[c.Name]; s != nil {
			p.stored = *s
		}
		polls = append(polls, p)
	}
	var reads errgroup.Group
	reads.SetLimit(parallelPolls)
	for i := range polls {
		reads.Go(func() error {
			p := &polls[i]
			if w.decodeState(p, now); p.fatal == nil && p.err == nil {
				w.pollCluster(ctx, p, now)
			}
			return nil
		})
	}
	reads.Wait()
	return polls
}

// pollCluster reads a cluster and everything that its rules need.
func (w *Watcher) pollCluster(ctx context.Context, p *clusterPoll, now time.Time) {
	reader := w.Readers[p.cluster]
	poller := Poller{Config: w.Config, Cluster: p.cluster, Reader: reader, State: p.prev}
	if w.Config.evaluator(p.cluster, "").needsWindow() {
		if poller.Window = w.decodeWindow(p, now); p.fatal != nil {
			return
		}
	}
	finish := w.Metrics.startPoll(p.cluster)
	snap, err := poller.Poll(ctx, now)
	finish()
	if p.snap, p.err = snap, err; err != nil {
		return
	}
	p.window = poller.Window
	if snap.PrimaryErr != nil {
		w.Log.Warn("reading by Kafka's protocol failed, read through the API", "cluster", p.cluster, "err", snap.PrimaryErr)
	}
}

// readDeadline returns when reading must end to leave time for ingesting and
// delivering the alerts: a third of the time left, but at least 2 s and at most
// 20 s. With less time, reading still gets up to a second, but at most half of it.
func readDeadline(now, deadline time.Time) time.Time {
	left := deadline.Sub(now)
	reserve := min(max(left/3, 2*time.Second), 20*time.Second)
	if minimum := min(left/2, time.Second); left-reserve < minimum {
		reserve = left - minimum
	}
	return deadline.Add(-reserve)
}
