package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// statusTime bounds an answer about the status, and the wait for it.
const statusTime = 5 * time.Second

// socketName is a socket in the state directory: no port, and nobody but the
// agent's own user can ask.
const socketName = "status.sock"

// Status is how an agent does.
type Status struct {
	ID      string    `json:"id"`
	Server  string    `json:"server"`
	Started time.Time `json:"started"`

	// ConfigRead is when the server last gave or confirmed the configuration.
	ConfigRead  *time.Time `json:"config_read,omitempty"`
	ConfigError string     `json:"config_error,omitempty"`

	// Waiting is how many reports are to be sent, WaitingBytes their size on
	// disk.
	Waiting      int64 `json:"waiting"`
	WaitingBytes int64 `json:"waiting_bytes"`
	// Sent, Refused and Dropped count reports since the start: what the server
	// took, what it will never take, and what made room or was damaged.
	Sent        int64      `json:"sent"`
	Refused     int64      `json:"refused"`
	Dropped     int64      `json:"dropped"`
	LastSent    *time.Time `json:"last_sent,omitempty"`
	ReportError string     `json:"report_error,omitempty"`

	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is how the collection of a service does. The counts are since
// the start.
type ServiceStatus struct {
	Name    string  `json:"name"`
	Plugin  string  `json:"plugin"`
	Seconds float64 `json:"seconds"`
	// Last is the time of the last collection that has ended.
	Last      *time.Time `json:"last,omitempty"`
	Collected int64      `json:"collected"`
	Failed    int64      `json:"failed"`
	// Skipped counts collections that were due while the one before was going.
	Skipped int64  `json:"skipped"`
	Error   string `json:"error,omitempty"`
}

// QueryStatus asks the agent that runs on a state directory.
func QueryStatus(ctx context.Context, state string) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(state, socketName))
	if err != nil {
		return nil, fmt.Errorf("no agent answers in %s: start one, or name its directory with --state: %w", state, err)
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

// listen answers whoever asks for the status, until stop is called. An agent that
// cannot be asked does its work all the same.
func (a *Agent) listen() (stop func()) {
	path := filepath.Join(a.state, socketName)
	_ = os.Remove(path) // of a run that was killed: this one has the lock
	l, err := net.Listen("unix", path)
	if err != nil {
		a.log.Warn("tocsin agent status will not work", "err", err)
		return func() {}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(statusTime))
			_ = json.NewEncoder(conn).Encode(a.now())
			conn.Close()
		}
	}()
	return func() { l.Close() }
}

// now returns the status.
func (a *Agent) now() Status {
	a.mu.Lock()
	s := a.status
	a.mu.Unlock()
	waiting := a.buffer.stats()
	s.Waiting, s.WaitingBytes, s.Dropped = waiting.reports, waiting.bytes, waiting.dropped
	s.Services = a.scheduler.services()
	return s
}
