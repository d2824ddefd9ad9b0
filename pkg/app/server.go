package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/config"
	"tocsin/pkg/metrics"
	"tocsin/pkg/store"
	"tocsin/pkg/store/backend"
)

// ServerOptions are what a process that serves decides.
type ServerOptions struct {
	Options
	// Load reads the configuration, at the start and at every reload.
	Load func() (*config.Config, error)
	// RoutePrefix is put before every path.
	RoutePrefix string
	// StartDelay is how long alerts are taken in before anything is said.
	StartDelay time.Duration
	// Classic takes only names and matchers of Prometheus before UTF-8 names.
	Classic bool
	// Name and Address are this process's among others on the same store.
	Name, Address string
}

// Server does everything in one process: it takes alerts in over HTTP, polls
// lag, and says what is due when it is due. Several on one store share the work.
type Server struct {
	options ServerOptions
	store   store.Store
	started time.Time
	wake    chan struct{}
	metrics *metrics.Registry
	current atomic.Pointer[generation]
}

// generation is what belongs to one configuration.
type generation struct {
	app     *App
	handler http.Handler
}

// NewServer reads the configuration, opens the store, and builds the rest.
func NewServer(ctx context.Context, o ServerOptions) (*Server, error) {
	cfg, err := o.Load()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, started: o.Now(), wake: make(chan struct{}, 1), metrics: new(metrics.Registry)}
	if s.store, err = backend.Open(ctx, cmp.Or(string(cfg.Store.URL), o.Store)); err != nil {
		return nil, err
	}
	s.options.Shared, s.options.Metrics = s.store, metrics.NewNotifications(s.metrics, o.Now)
	err = s.use(ctx, cfg)
	if err == nil {
		err = s.announce(ctx, s.started)
	}
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// Reload reads the configuration again and works by it from now on; the groups'
// timers begin anew, as in Alertmanager. If it has faults the old one stays.
// Another store needs a new start.
func (s *Server) Reload(ctx context.Context) error {
	cfg, err := s.options.Load()
	if err != nil {
		return err
	}
	if err := s.use(ctx, cfg); err != nil {
		return err
	}
	defer s.Wake()
	return s.current.Load().app.engine.Restart(ctx, s.options.Now())
}

func (s *Server) use(ctx context.Context, cfg *config.Config) error {
	a, err := New(ctx, cfg, s.options.Options)
	if err != nil {
		return err
	}
	h, err := a.handler(api.Options{
		Now: s.options.Now, Metrics: s.metrics, Reload: s.Reload, Started: s.started,
		Flush: func(context.Context) error { s.Wake(); return nil },
		Name:  s.options.Name, Peers: s.peers, Classic: s.options.Classic, RoutePrefix: s.options.RoutePrefix,
	})
	if err != nil {
		return fmt.Errorf("show the configuration: %w", err)
	}
	if old := s.current.Swap(&generation{app: a, handler: h}); old != nil {
		time.AfterFunc(2*workTime, old.app.disconnect) // its last round is over by then
	}
	return nil
}

// Open tells that everybody may speak to the server: the configuration does not
// say who may.
func (s *Server) Open() bool { return s.current.Load().app.config.Webhook.Auth.Open() }

// Wake makes the server look for what is due at once.
func (s *Server) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ServeHTTP answers by the configuration of the moment.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

const (
	// drainTime bounds how long requests that are under way may take at the end.
	drainTime = 10 * time.Second
	// headerTime bounds how long a client may take for its headers.
	headerTime = 10 * time.Second
)

// Run serves on l, and polls and delivers, until ctx is done. Then it finishes
// what it holds, and closes the store.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: headerTime}
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
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err = srv.Shutdown(drain)
	case err = <-failed:
	}
	stop()
	<-done
	return errors.Join(err, s.Close())
}

// Close releases the store.
func (s *Server) Close() error { return s.store.Close() }
