package agent

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// plugin collects the data of one service. It may have state: collect is never
// called concurrently.
type plugin struct {
	// collect returns the data to report, which must be encodable as JSON, or nil
	// if there is nothing to report yet. now is the time of the collection.
	collect func(ctx context.Context, now time.Time) (any, error)
	// needsBaseline is set if the data are differences of counters. The first
	// collection, which reads the counters only, is made at once.
	needsBaseline bool
}

// scheduler collects each service at its interval.
type scheduler struct {
	id      string // of the host
	open    func(service) (plugin, error)
	enqueue func(service string, data any, at time.Time) error
	log     *slog.Logger

	mu         sync.Mutex // guards collectors
	collectors map[string]*collector
	goroutines sync.WaitGroup
}

// collector collects one service.
type collector struct {
	scheduler *scheduler
	service   service
	plugin    plugin
	cancel    context.CancelFunc

	mu      sync.Mutex // guards the fields below
	running bool
	status  ServiceStatus
}

// apply replaces the services that are collected until ctx is done. Those that do
// not change are not interrupted.
func (s *scheduler) apply(ctx context.Context, services []service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]*collector, len(services))
	for _, sv := range services {
		if c := s.collectors[sv.name]; c != nil && c.service == sv {
			next[sv.name] = c
			delete(s.collectors, sv.name)
			continue
		}
		next[sv.name] = s.start(ctx, sv)
	}
	for _, c := range s.collectors {
		c.cancel()
	}
	s.collectors = next
}

// start starts to collect a service. If its plugin cannot be opened, the collector has
// a status with the error and collects nothing.
func (s *scheduler) start(ctx context.Context, sv service) *collector {
	c := &collector{service: sv, scheduler: s, status: ServiceStatus{Name: sv.name, Plugin: sv.plugin, Seconds: sv.interval.Seconds()}}
	var err error
	if c.plugin, err = s.open(sv); err != nil {
		c.cancel = func() {}
		c.recordFailure(err)
		return c
	}
	ctx, c.cancel = context.WithCancel(ctx)
	s.goroutines.Go(func() { c.loop(ctx) })
	return c
}

// loop collects at each interval until ctx is done. The first collection is at the
// service's offset.
func (c *collector) loop(ctx context.Context) {
	next := time.Now().Add(intervalOffset(c.scheduler.id, c.service))
	if c.plugin.needsBaseline {
		c.collect(ctx)
	}
	for sleep(ctx, time.Until(next)) {
		c.collect(ctx)
		// After a suspension of the machine the missed collections are not made.
		for !next.After(time.Now()) {
			next = next.Add(c.service.interval)
		}
	}
}

// intervalOffset returns where in its interval a service is collected. It differs
// from host to host and from service to service, and a restart does not change it.
func intervalOffset(id string, s service) time.Duration {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", id, s.name)
	return time.Duration(h.Sum64() % uint64(s.interval))
}

// collect starts a collection unless the last one is still running.
func (c *collector) collect(ctx context.Context) {
	c.mu.Lock()
	if c.running {
		if c.status.Skipped++; c.status.Skipped == 1 {
			c.scheduler.log.Warn("plugin takes longer than its interval and collections are skipped", "service", c.service.name, "plugin", c.service.plugin)
		}
		c.mu.Unlock()
		return
	}
	c.running = true
	c.mu.Unlock()
	c.scheduler.goroutines.Go(func() {
		now := time.Now()
		data, err := c.runPlugin(ctx, now)
		if err == nil && data != nil {
			err = c.scheduler.enqueue(c.service.name, data, now)
		}
		c.mu.Lock()
		c.running = false
		c.status.Last = &now
		c.mu.Unlock()
		switch {
		case err == nil:
			c.recordSuccess()
		case ctx.Err() == nil:
			c.recordFailure(err)
		}
	})
}

// runPlugin calls the plugin and returns a panic as an error: an unusual machine
// must not stop the other services.
func (c *collector) runPlugin(ctx context.Context, now time.Time) (data any, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, fmt.Errorf("plugin %s fails on this machine: %v", c.service.plugin, p)
		}
	}()
	return c.plugin.collect(ctx, now)
}

func (c *collector) recordSuccess() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Collected++
	if c.status.Error != "" {
		c.status.Error = ""
		c.scheduler.log.Info("service is collected again", "service", c.service.name, "plugin", c.service.plugin)
	}
}

func (c *collector) recordFailure(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Failed++
	if c.status.Error == "" {
		c.scheduler.log.Warn("service cannot be collected", "service", c.service.name, "plugin", c.service.plugin, "err", err)
	}
	c.status.Error = err.Error()
}

// services returns the status of the services in order of their names.
func (s *scheduler) services() []ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ServiceStatus, 0, len(s.collectors))
	for _, c := range s.collectors {
		c.mu.Lock()
		list = append(list, c.status)
		c.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b ServiceStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// stop waits for the collections in progress, whose context is done, but no longer
// than timeout.
func (s *scheduler) stop(timeout time.Duration) {
	done := make(chan struct{})
	go func() {
		s.goroutines.Wait()
		close(done)
	}()
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		s.log.Warn("a plugin does not end and the agent stops without it")
	}
}
