package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/config"
	"tocsin/pkg/metrics"
	"tocsin/pkg/outbox"
	"tocsin/pkg/store"
	"tocsin/pkg/store/backend"
)

// ServerOptions configures a Server.
type ServerOptions struct {
	Options
	// Load reads the configuration, at the start and at every reload.
	Load func() (*config.Config, error)
	// RoutePrefix is prepended to every path.
	RoutePrefix string
	// CORSOrigin matches the origins whose pages may use API v2; nil for none.
	CORSOrigin *regexp.Regexp
	// StartDelay is how long alerts are received before the first notification.
	StartDelay time.Duration
	// Classic accepts only label names and matchers without UTF-8, as Alertmanager's
	// classic-mode.
	Classic bool
	// Name identifies this process among others on the same store.
	Name string
	// Address is the address that the process listens on.
	Address string
	// ProcessMetrics returns the metrics of the process as text; nil for none.
	ProcessMetrics func() []byte
}

// Server runs everything in one process: HTTP, polls of lag, checks of hosts, and
// deliveries at their due times. Several Servers on one store share the work.
type Server struct {
	options ServerOptions
	store   store.Store
	started time.Time
	alone   bool // no other process has the store open
	wake    chan struct{}
	current atomic.Pointer[configured]
	retired sync.WaitGroup // deliveries of former configurations

	// What Loop started goes on after its end until it is cancelled: sends and polls,
	// and the commits of their results.
	sends, stores             context.Context
	cancelSends, cancelStores context.CancelFunc
}

// configured holds the parts that are built from one configuration.
type configured struct {
	app     *App
	handler http.Handler
	workers *outbox.Workers
	spend   context.CancelFunc // makes the workers start nothing more
	counted time.Time          // when the pending notifications were
}

// NewServer loads the configuration, opens the store, and builds the parts.
func NewServer(ctx context.Context, o ServerOptions) (*Server, error) {
	cfg, err := o.Load()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, started: o.Now(), wake: make(chan struct{}, 1)}
	s.sends, s.cancelSends = context.WithCancel(context.WithoutCancel(ctx))
	s.stores, s.cancelStores = context.WithCancel(store.WithReserve(context.WithoutCancel(ctx)))
	url := cmp.Or(string(cfg.Store.URL), o.Store)
	s.options.Metrics = new(metrics.Registry)
	if s.store, s.options.health, err = openStore(ctx, url, o.Log, s.options.Metrics); err != nil {
		return nil, err
	}
	s.options.Shared = s.store
	err = s.apply(ctx, cfg)
	s.alone = backend.Exclusive(url)
	if err == nil && s.alone {
		err = s.current.Load().app.engine.Outbox().ReleaseLeases(store.WithReserve(ctx), s.started)
	}
	if err == nil {
		if err = s.registerPeer(ctx, s.started, s.alone); errors.Is(err, store.ErrFull) {
			o.Log.Error("no alerts can be received; those that were are delivered", "err", err)
			err = nil
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// Reload loads the configuration again and applies it; the timers of groups are
// restarted, as in Alertmanager. If it has faults, the old one stays in force. A
// change of the store needs a restart of the process. The result is logged.
func (s *Server) Reload(ctx context.Context) error {
	err := s.reload(ctx)
	if err != nil {
		s.options.Log.Error("configuration not reloaded; the previous one stays in force", "err", err)
	} else {
		s.options.Log.Info("configuration reloaded")
	}
	return err
}

func (s *Server) reload(ctx context.Context) error {
	cfg, err := s.options.Load()
	if err == nil {
		err = s.apply(ctx, cfg)
	}
	if err != nil {
		recordReload(s.options.Metrics, s.options.Now(), nil)
		return err
	}
	defer s.Wake()
	return s.current.Load().app.engine.Restart(store.WithReserve(ctx), s.options.Now())
}

func (s *Server) apply(ctx context.Context, cfg *config.Config) error {
	a, err := New(ctx, cfg, s.options.Options)
	if err != nil {
		return err
	}
	h, err := a.handler(api.Options{
		Now: s.options.Now, Metrics: s.options.Metrics, ProcessMetrics: s.options.ProcessMetrics, Reload: s.Reload, Started: s.started,
		Flush: func(context.Context) error { s.Wake(); return nil },
		Name:  s.options.Name, Address: s.options.Address, CORSOrigin: s.options.CORSOrigin, Peers: s.peers, Classic: s.options.Classic, RoutePrefix: s.options.RoutePrefix,
	})
	if err != nil {
		return fmt.Errorf("show the configuration: %w", err)
	}
	c := &configured{app: a, handler: h}
	start, spend := context.WithCancel(s.sends)
	c.spend = spend
	c.workers = a.engine.Outbox().NewWorkers(s.stores, outbox.NewServerBudget(start, s.sends), s.options.Now, s.Wake)
	if old := s.current.Swap(c); old != nil {
		s.retire(old)
		time.AfterFunc(2*roundTimeout, old.app.disconnect) // its last poll has ended by then
	}
	recordReload(s.options.Metrics, s.options.Now(), cfg)
	return nil
}

// Unauthenticated reports whether requests need no token.
func (s *Server) Unauthenticated() bool { return s.current.Load().app.config.Webhook.Auth.Open() }

// Wake makes the server deliver due notifications at once.
func (s *Server) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ServeHTTP serves a request with the current configuration.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

// shutdownTimeout bounds the requests under way at the end.
const shutdownTimeout = 10 * time.Second

// Run serves HTTP on l and runs Loop until ctx is done. Then it finishes the work
// under way and closes the store. Requests that last longer than shutdownTimeout are
// aborted.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := NewHTTPServer(s)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()

	loop, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Loop(loop)
	}()
	var err error
	select {
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err = srv.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
	case err = <-failed:
	}
	stop()
	<-done
	return errors.Join(err, s.Close())
}

// Close cancels all work under way and closes the store.
func (s *Server) Close() error {
	s.cancelSends()
	s.cancelStores()
	return s.store.Close()
}
