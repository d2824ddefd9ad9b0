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

// plugin collects the data of one service. It may remember what it saw before:
// collect is never called twice at a time.
type plugin struct {
	// collect returns what to report as something that JSON can say, nil if there
	// is nothing to report yet. now is the time of the collection.
	collect func(ctx context.Context, now time.Time) (any, error)
	// compares tells that the first collection only sees where counters stand. It
	// is made at once.
	compares bool
}

// scheduler collects each service in its own interval.
type scheduler struct {
	id   string // of the host
	open func(service) (plugin, error)
	put  func(service string, data any, at time.Time) error
	log  *slog.Logger

	mu      sync.Mutex // guards running
	running map[string]*run
	loops   sync.WaitGroup
}

// run is a service that is being collected.
type run struct {
	service
	*scheduler
	plugin plugin
	cancel context.CancelFunc

	mu     sync.Mutex
	busy   bool
	status ServiceStatus
}

// apply makes services the ones that are collected until ctx ends. Those that
// were collected before go on as they do.
func (s *scheduler) apply(ctx context.Context, services []service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]*run, len(services))
	for _, sv := range services {
		if r := s.running[sv.name]; r != nil && r.service == sv {
			next[sv.name] = r
			delete(s.running, sv.name)
			continue
		}
		next[sv.name] = s.begin(ctx, sv)
	}
	for _, r := range s.running {
		r.cancel()
	}
	s.running = next
}

// begin starts to collect a service. One that no plugin collects has a status
// and nothing else.
func (s *scheduler) begin(ctx context.Context, sv service) *run {
	r := &run{service: sv, scheduler: s, status: ServiceStatus{Name: sv.name, Plugin: sv.plugin, Seconds: sv.interval.Seconds()}}
	var err error
	if r.plugin, err = s.open(sv); err != nil {
		r.cancel = func() {}
		r.failed(err)
		return r
	}
	ctx, r.cancel = context.WithCancel(ctx)
	s.loops.Go(func() { r.loop(ctx) })
	return r
}

// loop collects whenever it is time, from a start within the first interval that
// differs from host to host and from service to service.
func (r *run) loop(ctx context.Context) {
	next := time.Now().Add(phase(r.id, r.service))
	if r.plugin.compares {
		r.collect(ctx)
	}
	for sleep(ctx, time.Until(next)) {
		r.collect(ctx)
		// Not from now: a machine that slept does not make up for it.
		for !next.After(time.Now()) {
			next = next.Add(r.interval)
		}
	}
}

// phase is where in its interval a service is collected: always the same place,
// so that a restart changes nothing.
func phase(id string, s service) time.Duration {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", id, s.name)
	return time.Duration(h.Sum64() % uint64(s.interval))
}

// collect makes a collection, unless the last one is still going.
func (r *run) collect(ctx context.Context) {
	r.mu.Lock()
	if r.busy {
		if r.status.Skipped++; r.status.Skipped == 1 {
			r.log.Warn("the plugin takes longer than its interval: turns are skipped", "service", r.name, "plugin", r.status.Plugin)
		}
		r.mu.Unlock()
		return
	}
	r.busy = true
	r.mu.Unlock()
	r.loops.Go(func() {
		now := time.Now()
		data, err := r.once(ctx, now)
		if err == nil && data != nil {
			err = r.put(r.name, data, now)
		}
		r.mu.Lock()
		r.busy = false
		r.status.Last = &now
		r.mu.Unlock()
		switch {
		case err == nil:
			r.worked()
		case ctx.Err() == nil:
			r.failed(err)
		}
	})
}

// once collects, and survives what a plugin does wrong with an odd machine.
func (r *run) once(ctx context.Context, now time.Time) (data any, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, fmt.Errorf("plugin %s fails on this machine: %v", r.service.plugin, p)
		}
	}()
	return r.plugin.collect(ctx, now)
}

// worked and failed keep the status, and log what changed.

func (r *run) worked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Collected++
	if r.status.Error != "" {
		r.status.Error = ""
		r.log.Info("the service is collected again", "service", r.name, "plugin", r.status.Plugin)
	}
}

func (r *run) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Failed++
	if r.status.Error == "" {
		r.log.Warn("the service is not collected", "service", r.name, "plugin", r.status.Plugin, "err", err)
	}
	r.status.Error = err.Error()
}

// services tells how the services do, by name.
func (s *scheduler) services() []ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ServiceStatus, 0, len(s.running))
	for _, r := range s.running {
		r.mu.Lock()
		list = append(list, r.status)
		r.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b ServiceStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// stop ends the loops, whose context has ended, and waits for what is being
// collected, but no longer than patience.
func (s *scheduler) stop(patience time.Duration) {
	ended := make(chan struct{})
	go func() {
		s.loops.Wait()
		close(ended)
	}()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		s.log.Warn("a plugin does not end; the agent stops without it")
	}
}
