package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/api"
	"tocsin/pkg/config"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/backend"
)

// LagView polls the lag of clusters for a person, once or repeatedly.
type LagView struct {
	config   *config.Config
	clusters []*lag.Poller
}

// NewLagView returns a view of one cluster, or with "" of all. The state of the rules and
// the history of lag are loaded from the store; if it cannot be reached they start empty.
// Later polls extend the history in memory. The error wraps ErrStoreInUse while another
// process holds the store, and api.ErrNotFound for an unknown cluster.
func NewLagView(ctx context.Context, cfg *config.Config, o Options, cluster string) (*LagView, error) {
	readers, err := buildReaders(cfg, o.client(), o)
	if err != nil {
		return nil, err
	}
	v, err := newLagView(cfg, readers, cluster)
	if err != nil || cfg.Store.URL == "" {
		return v, err
	}
	st, err := backend.Open(ctx, string(cfg.Store.URL))
	if errors.Is(err, ErrStoreInUse) {
		return nil, err
	}
	if err != nil {
		o.Log.Warn("store not readable; the state of rules starts empty", "err", err)
		return v, nil
	}
	defer st.Close()
	if err := v.load(ctx, st); err != nil {
		o.Log.Warn("state of lag not readable; the unreadable part starts empty", "err", err)
	}
	return v, nil
}

func newLagView(cfg *config.Config, readers map[string]lag.Reader, cluster string) (*LagView, error) {
	v := &LagView{config: cfg}
	for _, c := range cfg.Lag.Clusters {
		if cluster == "" || cluster == c.Name {
			v.clusters = append(v.clusters, &lag.Poller{Config: &cfg.Lag, Cluster: c.Name, Reader: readers[c.Name], Window: &trend.Window{}, AllAges: true})
		}
	}
	if cluster != "" && len(v.clusters) == 0 {
		return nil, api.NotFoundf("no cluster is named %q in the configuration", cluster)
	}
	return v, nil
}

// load loads the state and the history that polls have stored. A part that cannot be
// loaded starts empty.
func (v *LagView) load(ctx context.Context, st store.Store) error {
	var errs []error
	for _, c := range v.clusters {
		var err error
		if c.State, err = lag.LoadState(ctx, st, c.Cluster); err != nil {
			errs = append(errs, err)
		}
		w, err := lag.LoadWindow(ctx, st, c.Cluster)
		if err != nil {
			errs = append(errs, err)
		}
		if w != nil {
			c.Window = w
		}
	}
	return errors.Join(errs...)
}

// Poll reads the clusters and returns their rows in the order of the configuration.
func (v *LagView) Poll(ctx context.Context, now time.Time) []lag.TableRow {
	rows := make([][]lag.TableRow, len(v.clusters))
	var reads errgroup.Group
	for i, c := range v.clusters {
		reads.Go(func() error {
			snap, err := c.Poll(ctx, now)
			if err != nil {
				rows[i] = []lag.TableRow{{Cluster: c.Cluster, AlertState: lag.StateUnknown, Error: err.Error()}}
			} else {
				rows[i] = lag.Table(&v.config.Lag, c.Cluster, snap, c.State, now)
			}
			return nil
		})
	}
	_ = reads.Wait() // errors are in the rows
	return slices.Concat(rows...)
}

// History returns the history of a topic's lag.
func (v *LagView) History(cluster, group, topic string) trend.History {
	for _, c := range v.clusters {
		if c.Cluster == cluster {
			return c.Window.History(group, topic)
		}
	}
	return trend.History{}
}

// Close closes the connections.
func (v *LagView) Close() {
	for _, c := range v.clusters {
		if r, ok := c.Reader.(interface{ Close() }); ok {
			r.Close()
		}
	}
}

const (
	// lagMaxAge is how long programs get the same lag: however many ask, the clusters are
	// read once in this time.
	lagMaxAge = 5 * time.Second
	// lagTimeout bounds a poll for programs; clusters that take longer have an error.
	lagTimeout = 20 * time.Second
)

// lagCache has the last poll for programs. Its zero value is empty.
type lagCache struct {
	mu   sync.Mutex // held during a poll, which lasts lagTimeout at most
	at   time.Time
	rows []lag.TableRow
}

// lagRows returns the rows of one cluster, or with "" of all, read within lagMaxAge.
func (a *App) lagRows(ctx context.Context, now func() time.Time, cluster string) ([]lag.TableRow, error) {
	if _, err := newLagView(a.config, a.lag.Readers, cluster); err != nil {
		return nil, err
	}
	c := &a.lagCache
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now().Sub(c.at); age < 0 || age >= lagMaxAge {
		v, err := newLagView(a.config, a.lag.Readers, "")
		if err != nil {
			return nil, err
		}
		// Others may wait for this poll: it goes on when the client disconnects.
		poll, cancel := context.WithTimeout(context.WithoutCancel(ctx), lagTimeout)
		defer cancel()
		if deadline, ok := ctx.Deadline(); ok {
			poll, cancel = context.WithDeadline(poll, deadline)
			defer cancel()
		}
		if err := v.load(poll, a.store); errors.Is(err, store.ErrUnavailable) {
			return nil, err
		} else if err != nil {
			a.log.Warn("state of lag not readable; the unreadable part starts empty", "err", err)
		}
		c.rows = v.Poll(poll, now())
		c.at = now()
	}
	return slices.DeleteFunc(slices.Clone(c.rows), func(r lag.TableRow) bool { return cluster != "" && r.Cluster != cluster }), nil
}

// lagHistory returns the stored history of a topic's lag.
func (a *App) lagHistory(ctx context.Context, cluster, group, topic string) (trend.History, error) {
	if _, err := newLagView(a.config, a.lag.Readers, cluster); err != nil {
		return trend.History{}, err
	}
	w, err := lag.LoadWindow(ctx, a.store, cluster)
	if w == nil || err != nil {
		return trend.History{}, err
	}
	return w.History(group, topic), nil
}
