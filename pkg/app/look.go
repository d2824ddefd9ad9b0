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

// LagView looks at the lag of clusters, once or again and again.
type LagView struct {
	cfg      *config.Config
	clusters []*lag.Poller
}

// ClusterLag is one cluster's lag at a time.
type ClusterLag struct {
	Name  string
	Lines []lag.TableRow
	// Window tells how the lag went lately.
	Window *trend.Window
	// Err is why the cluster could not be read.
	Err error
}

// NewLagView returns a view of the clusters of which wanted says so. What is
// pending or firing, and how the lag went lately, is taken from the store, when
// that can be opened beside whoever else holds it; from then on the view remembers
// what it sees itself.
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
	v.remember(ctx, o)
	return v, nil
}

// remember reads what the last poll remembered, as far as it can.
func (v *LagView) remember(ctx context.Context, o Options) {
	if v.cfg.Store.URL == "" {
		return
	}
	st, err := backend.Open(ctx, string(v.cfg.Store.URL))
	if err != nil {
		o.Log.Warn("the store cannot be read: what is pending or firing is judged anew", "err", err)
		return
	}
	defer st.Close()
	for _, c := range v.clusters {
		if c.State, err = lag.LoadState(ctx, st, c.Cluster); err != nil {
			o.Log.Warn("a cluster's state cannot be read: it is judged anew", "err", err)
		}
		w, err := lag.LoadWindow(ctx, st, c.Cluster)
		if err != nil {
			o.Log.Warn("a cluster's history cannot be read: it begins anew", "err", err)
		}
		if w != nil {
			c.Window = w
		}
	}
}

// Look reads the clusters, in the order of the configuration.
func (v *LagView) Look(ctx context.Context, now time.Time) []ClusterLag {
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
	reads.Wait()
	return out
}

// Close ends the connections.
func (v *LagView) Close() {
	for _, c := range v.clusters {
		if r, ok := c.Reader.(interface{ Close() }); ok {
			r.Close()
		}
	}
}
