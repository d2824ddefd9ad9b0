package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/shirou/gopsutil/v4/mem"
)

// statusTimeout bounds a query of the status.
const statusTimeout = 5 * time.Second

// socketName is a Unix socket in the state directory, which the agent's own user
// alone can enter.
const socketName = "status.sock"

// Status is the state of a running agent.
type Status struct {
	ID      string    `json:"id"`
	Server  string    `json:"server"`
	Started time.Time `json:"started"`
	// RunID is a random id of this run, which every report has.
	RunID string `json:"run_id"`

	// Container has the limits of the container whose CPU and memory are reported, ""
	// if those of the machine are.
	Container string `json:"container,omitempty"`

	// ConfigRead is when the server last sent or confirmed the configuration.
	ConfigRead  *time.Time `json:"config_read,omitempty"`
	ConfigError string     `json:"config_error,omitempty"`

	// Waiting is how many reports are to be sent, WaitingBytes their size on
	// disk.
	Waiting      int64 `json:"waiting"`
	WaitingBytes int64 `json:"waiting_bytes"`
	// Sent counts the reports since the start that the server accepted, Refused
	// those that it will never accept, and Dropped those that were damaged or made
	// room for others.
	Sent        int64      `json:"sent"`
	Refused     int64      `json:"refused"`
	Dropped     int64      `json:"dropped"`
	LastSent    *time.Time `json:"last_sent,omitempty"`
	ReportError string     `json:"report_error,omitempty"`

	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is the state of a service. The counts are since the start.
type ServiceStatus struct {
	Name    string  `json:"name"`
	Plugin  string  `json:"plugin"`
	Seconds float64 `json:"seconds"` // the interval
	// Last is the time of the last collection that has ended.
	Last      *time.Time `json:"last,omitempty"`
	Collected int64      `json:"collected"`
	Failed    int64      `json:"failed"`
	// Skipped counts collections that were due while another one was running.
	Skipped int64  `json:"skipped"`
	Error   string `json:"error,omitempty"`
}

// QueryStatus returns the status of the agent that runs on a state directory.
func QueryStatus(ctx context.Context, stateDir string) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(stateDir, socketName))
	if err != nil {
		return nil, fmt.Errorf("no agent runs in %s: start one, or name its directory with --state: %w", stateDir, err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	s := new(Status)
	if err := json.NewDecoder(conn).Decode(s); err != nil {
		return nil, fmt.Errorf("read the agent's status: %w", err)
	}
	return s, nil
}

// serveStatus answers queries of the status until stop is called. Without the
// socket the agent works all the same.
func (a *Agent) serveStatus() (stop func()) {
	path := filepath.Join(a.stateDir, socketName)
	_ = os.Remove(path) // left by a run that was killed; this one has the lock
	l, err := net.Listen("unix", path)
	if err != nil {
		a.log.Warn("the status cannot be queried", "err", err)
		return func() {}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(statusTimeout))
			_ = json.NewEncoder(conn).Encode(a.currentStatus())
			conn.Close()
		}
	}()
	return func() { l.Close() }
}

func (a *Agent) currentStatus() Status {
	a.mu.Lock()
	s := a.status
	a.mu.Unlock()
	waiting := a.buffer.stats()
	s.Waiting, s.WaitingBytes, s.Dropped = waiting.reports, waiting.bytes, waiting.dropped
	s.Services = a.scheduler.services()
	if m, err := mem.VirtualMemory(); err == nil {
		s.Container = cgroup{cgroupRoot}.description(m.Total)
	}
	return s
}
