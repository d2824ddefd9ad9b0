package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/config"
	"tocsin/pkg/lag"
	"tocsin/pkg/store/backend"
)

// ClusterLag is one cluster's lag as of now.
type ClusterLag struct {
	Name  string
	Lines []lag.Line
	// Err is why the cluster could not be read.
	Err error
}

// LagNow reads the clusters of which wanted says so, and tells how they stand
// against the rules. What is pending or firing is taken from the store, when
// that can be opened beside whoever else holds it.
func LagNow(ctx context.Context, cfg *config.Config, o Options, now time.Time, wanted func(cluster string) bool) ([]ClusterLag, error) {
	readers, err := buildReaders(cfg, o.client(), o)
	if err != nil {
		return nil, err
	}
	states := loadStates(ctx, cfg, o)
	var clusters []ClusterLag
	for _, c := range cfg.Lag.Clusters {
		if wanted(c.Name) {
			clusters = append(clusters, ClusterLag{Name: c.Name})
		}
	}
	var reads errgroup.Group
	for i := range clusters {
		reads.Go(func() error {
			c := &clusters[i]
			snap, err := readers[c.Name].Read(ctx)
			if c.Err = err; err == nil {
				c.Lines = lag.Table(&cfg.Lag, c.Name, snap, states[c.Name], now)
			}
			return nil
		})
	}
	return clusters, reads.Wait()
}

// loadStates reads what the last poll remembered, as far as it can.
func loadStates(ctx context.Context, cfg *config.Config, o Options) map[string]*lag.State {
	if cfg.Store.URL == "" {
		return nil
	}
	st, err := backend.Open(ctx, string(cfg.Store.URL))
	if err != nil {
		o.Log.Warn("the store cannot be read: what is pending or firing is judged anew", "err", err)
		return nil
	}
	defer st.Close()
	states := map[string]*lag.State{}
	for _, c := range cfg.Lag.Clusters {
		if states[c.Name], err = lag.LoadState(ctx, st, c.Name); err != nil {
			o.Log.Warn("a cluster's state cannot be read: it is judged anew", "err", err)
		}
	}
	return states
}
