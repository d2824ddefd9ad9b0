// Package agent is what runs on a host: it asks the server what to collect,
// collects it, and reports it. It needs no rights of its own and listens on no
// port. It knows nothing of the server but the two paths below /agents/, and may
// be away from it for days: what it collects meanwhile waits on disk.
//
// It runs on Linux.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tocsin/pkg/setting/base"
)

// stopWait is how long plugins have to end when the agent stops. One that hangs
// in the kernel does not keep it from stopping.
const stopWait = 5 * time.Second

// minBuffer holds a few of the largest reports.
const minBuffer = 1 << 20

// Options are what an Agent needs to know.
type Options struct {
	// Server is the address of the server, such as https://alerts.example.com,
	// with a path if it is served below one.
	Server string
	// ID is the host's id in the server's inventory.
	ID string
	// Token proves to the server who asks.
	Token base.Secret
	// StateDir is the directory of the agent's own files. It is made if it is
	// missing, and belongs to one agent at a time.
	StateDir string
	// PluginDir is the directory of executables that are plugins; "" for none.
	PluginDir string
	// BufferSize is how many bytes of reports may wait on disk. Beyond it the oldest
	// are dropped.
	BufferSize int64
	// Version is what the agent calls itself in User-Agent.
	Version string
	// Transport brings requests to the server. nil is one with deadlines that
	// trusts the system's root certificates.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// Agent collects and reports. New makes one.
type Agent struct {
	log       *slog.Logger
	client    *client
	state     string
	lock      *os.File
	buffer    *buffer
	config    savedConfig
	scheduler *scheduler

	mu     sync.Mutex // guards status
	status Status     // without what the buffer and the scheduler know
}

// New makes ready what Run needs: it takes the state directory, and reads the
// reports and the configuration that an earlier run left there. Only Run gives
// the directory back.
func New(o Options) (*Agent, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	if o.PluginDir != "" {
		if o.PluginDir, err = filepath.Abs(o.PluginDir); err != nil {
			return nil, fmt.Errorf("find the directory of plugins: %w", err)
		}
	}
	if o.BufferSize < minBuffer {
		return nil, fmt.Errorf("--buffer is %d bytes: it must have 1 MiB or more", o.BufferSize)
	}
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w; choose another one with --state", err)
	}
	lock, err := lockDir(o.StateDir)
	if err != nil {
		return nil, err
	}
	b, err := openBuffer(filepath.Join(o.StateDir, "buffer"), o.BufferSize, o.Log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	a := &Agent{log: o.Log, client: c, state: o.StateDir, lock: lock, buffer: b, status: Status{ID: o.ID, Server: o.Server}}
	a.scheduler = &scheduler{id: o.ID, open: plugins{proc: "/proc", dir: o.PluginDir}.open, put: a.put, log: o.Log}
	a.config = loadConfig(a.state, c.address, o.Log)
	return a, nil
}

// Run collects and reports until ctx ends. Then it lets what is being sent
// arrive, and leaves the rest on disk.
func (a *Agent) Run(ctx context.Context) error {
	defer a.lock.Close()
	a.status.Started = time.Now()
	services := a.config.services(a.log)
	a.log.Info("the agent runs", "id", a.status.ID, "server", a.status.Server, "state", a.state,
		"services", len(services), "waiting", a.buffer.stats().reports)
	stop := a.listen()
	defer stop()
	a.work(ctx, services)
	waiting := a.buffer.stats().reports
	err := a.buffer.close()
	a.log.Info("the agent stops; what waits is sent after the next start", "waiting", waiting)
	return err
}

// work collects services, and what the server names from then on, until ctx ends.
func (a *Agent) work(ctx context.Context, services []service) {
	a.scheduler.apply(ctx, services)
	var loops sync.WaitGroup
	loops.Go(func() { a.refresh(ctx) })
	loops.Go(func() { a.deliver(ctx) })
	loops.Wait()
	a.scheduler.stop(stopWait)
}

// report is the body of a report.
type report struct {
	ClientID    string    `json:"client_id"`
	ServiceName string    `json:"service_name"`
	Data        any       `json:"data"`
	At          time.Time `json:"at"`
}

// put keeps a report until it is sent.
func (a *Agent) put(service string, data any, at time.Time) error {
	body, err := json.Marshal(report{ClientID: a.status.ID, ServiceName: service, Data: data, At: at.UTC().Truncate(time.Millisecond)})
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return a.buffer.append(body)
}

// edit changes the status.
func (a *Agent) edit(change func(*Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.status)
}
