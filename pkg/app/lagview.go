package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/config"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/backend"
)

// LagView polls the lag of clusters for a person, once or repeatedly.
type LagView struct {
	cfg      *config.Config
	clusters []*lag.Poller
}

// ClusterLag is the result of polling one cluster.
type ClusterLag struct {
	Name  string
	Lines []lag.TableRow
	// Window is the recent history of the lag.
	Window *trend.Window
	// Err is set if the cluster could not be read.
	Err error
}

// NewLagView returns a view of the clusters for which wanted returns true. The
// state of the rules and the history of lag are loaded from the store if it can be
// opened; later polls extend the history in memory.
func NewLagView(ctx context.Context, cfg *config.Config, o Options, wanted func(cluster string) bool) (*LagView, error) {
	readers, err := buildReaders(cfg, o.client(), o)
	if err != nil {
		return nil, err
	}
	v := &LagView{cfg: cfg}
	for _, c := range cfg.Lag.Clusters {
		if wanted(c.Name) {
			v.clusters = append(v.clusters, &lag.Poller{Config: &cfg.Lag, Cluster: c.Name, Reader: readers[c.Name], Window: &trend.Window{}, AllAges: true})
		}
	}
	v.loadHistory(ctx, o)
	return v, nil
}

// loadHistory loads the state and the history that polls have stored. What cannot
// be loaded is logged and starts empty.
func (v *LagView) loadHistory(ctx context.Context, o Options) {
	if v.cfg.Store.URL == "" {
		return
	}
	st, err := backend.Open(ctx, string(v.cfg.Store.URL))
	if err != nil {
		o.Log.Warn("store not readable; the state of rules starts empty", "err", err)
		return
	}
	defer st.Close()
	for _, c := range v.clusters {
		if c.State, err = lag.LoadState(ctx, st, c.Cluster); err != nil {
			o.Log.Warn("state of a cluster not readable; it starts empty", "err", err)
		}
		w, err := lag.LoadWindow(ctx, st, c.Cluster)
		if err != nil {
			o.Log.Warn("history of a cluster not readable; it starts empty", "err", err)
		}
		if w != nil {
			c.Window = w
		}
	}
}

// Poll reads the clusters and returns them in the order of the configuration.
func (v *LagView) Poll(ctx context.Context, now time.Time) []ClusterLag {
	out := make([]ClusterLag, len(v.clusters))
	var reads errgroup.Group
	for i, c := range v.clusters {
		reads.Go(func() error {
			l := ClusterLag{Name: c.Cluster, Window: c.Window}
			var snap *lag.Snapshot
			if snap, l.Err = c.Poll(ctx, now); l.Err == nil {
				l.Lines = lag.Table(&v.cfg.Lag, c.Cluster, snap, c.State, now)
			}
			out[i] = l
			return nil
		})
	}
	_ = reads.Wait() // errors are in the results
	return out
}

// Close closes the connections.
func (v *LagView) Close() {
	for _, c := range v.clusters {
		if r, ok := c.Reader.(interface{ Close() }); ok {
			r.Close()
		}
	}
}
