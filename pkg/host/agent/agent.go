// Package agent collects data on a Linux host and reports it to a Tocsin server,
// which configures the services to collect. The agent runs without privileges and listens
// on no port. It uses two paths of the server, /agents/ID/config and
// /agents/ID/report, and works without the server for days: reports wait on disk.
package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tocsin/pkg/setting/base"
)

const (
	// stopTimeout is how long plugins have to end when the agent stops. One that
	// hangs in the kernel does not keep the agent from stopping.
	stopTimeout = 5 * time.Second
	// drainTimeout is how long a request that is in flight when the agent stops
	// may take.
	drainTimeout = 3 * time.Second
	// minBufferSize holds a few of the largest reports.
	minBufferSize = 1 << 20
	maxIDSize     = 256
)

// Options configure an Agent.
type Options struct {
	// Server is the base URL of the server, such as https://alerts.example.com.
	Server string
	// ID is the host's id in the server's inventory.
	ID string
	// Token authenticates the agent to the server.
	Token base.Secret
	// StateDir is the directory of the agent's own files. It is created if it is
	// missing, and belongs to one agent at a time.
	StateDir string
	// PluginDir is the directory of the plugins that are executables; "" for none.
	PluginDir string
	// BufferSize is how many bytes of reports may wait on disk, 1 MiB or more.
	// Beyond it the oldest reports are dropped.
	BufferSize int64
	// Version is the agent's version in the User-Agent header.
	Version string
	// Transport sends the requests; nil is a transport with timeouts that trusts
	// the system's root certificates.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// Validate returns the first fault of the options, nil if they are valid. Such an
// error is wrong usage: starting again with the same options does not help. Its
// text names the flag of the command line and contains no secret.
func (o *Options) Validate() error {
	switch {
	case o.Server == "":
		return errors.New("--server is missing: give the URL of the server, such as https://alerts.example.com")
	case o.ID == "":
		return errors.New("--id is missing: give the host's id in the server's configuration")
	case len(o.ID) > maxIDSize:
		return fmt.Errorf("--id is longer than %d bytes", maxIDSize)
	case o.Token == "":
		return errors.New("the token is missing: give its file with --token-file, or set TOCSIN_AGENT_TOKEN")
	case strings.ContainsFunc(string(o.Token), func(r rune) bool { return r <= ' ' || r >= 0x7F }):
		return errors.New("the token contains a space, a line break or another character that a header cannot carry")
	case o.BufferSize < minBufferSize:
		return fmt.Errorf("--buffer is %s: it must be 1MiB or more", base.Size(o.BufferSize))
	}
	return validateServer(o.Server)
}

// validateServer checks a base URL. It does not quote the URL, which may contain
// a password.
func validateServer(server string) error {
	u, err := url.Parse(server)
	if err != nil {
		return errors.New("--server is not a URL: it must look like https://alerts.example.com")
	}
	port, portErr := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("--server must begin with https:// or http://, such as https://alerts.example.com")
	case u.Hostname() == "":
		return errors.New("--server names no host: it must look like https://alerts.example.com")
	case u.Port() != "" && (portErr != nil || port == 0):
		return errors.New("--server has a port that is not between 1 and 65535")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("--server must be a URL without user, query and fragment: the token is given with --token-file")
	}
	return nil
}

// Agent collects and reports. New makes one.
type Agent struct {
	log       *slog.Logger
	client    *client
	runID     string
	stateDir  string
	lock      *os.File // on stateDir
	buffer    *buffer
	config    savedConfig
	scheduler *scheduler

	mu     sync.Mutex // guards status
	status Status     // without the parts of the buffer and of the scheduler
}

// New validates the options, locks the state directory, and reads the reports and
// the configuration that an earlier run left there. Run releases the directory.
func New(o Options) (*Agent, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.PluginDir != "" {
		var err error
		if o.PluginDir, err = filepath.Abs(o.PluginDir); err != nil {
			return nil, fmt.Errorf("find the directory of plugins: %w", err)
		}
	}
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("create the state directory: %w; choose another one with --state", err)
	}
	lock, err := lockDir(o.StateDir)
	if err != nil {
		return nil, err
	}
	b, err := openBuffer(filepath.Join(o.StateDir, "buffer"), o.BufferSize, o.Log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	c, runID := newClient(o), newRunID()
	a := &Agent{
		log: o.Log, client: c, runID: runID, stateDir: o.StateDir, lock: lock, buffer: b,
		config: loadConfig(o.StateDir, c.baseURL, o.Log),
		status: Status{ID: o.ID, Server: o.Server, RunID: runID},
	}
	a.scheduler = &scheduler{id: o.ID, open: plugins{proc: "/proc", cgroup: cgroup{cgroupRoot}, dir: o.PluginDir}.open, enqueue: a.enqueue, log: o.Log}
	return a, nil
}

// newRunID returns a random id for this run. The server tells two agents with one host
// id by it. It is not the kernel's boot id, which the containers of a machine share.
func newRunID() string {
	var id [8]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// lockDir locks dir for this process. The lock ends when the file is closed or
// the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another agent uses %s: stop it, or give this one a directory of its own with --state", dir)
	}
	return f, nil
}

// Run collects and reports until ctx is done. A request in flight may complete;
// the reports that are left wait on disk for the next start.
func (a *Agent) Run(ctx context.Context) error {
	defer a.lock.Close()
	a.status.Started = time.Now()
	services := a.config.services(a.log)
	a.log.Info("agent started", "id", a.status.ID, "server", a.status.Server, "state", a.stateDir,
		"services", len(services), "waiting", a.buffer.stats().reports)
	stop := a.serveStatus()
	defer stop()
	a.runLoops(ctx, services)
	waiting := a.buffer.stats().reports
	err := a.buffer.close()
	a.log.Info("agent stopped", "waiting", waiting)
	return err
}

// runLoops collects services, and those of later configurations, and delivers the
// reports until ctx is done.
func (a *Agent) runLoops(ctx context.Context, services []service) {
	a.scheduler.apply(ctx, services)
	var loops sync.WaitGroup
	loops.Go(func() { a.refreshConfig(ctx) })
	loops.Go(func() { a.deliver(ctx) })
	loops.Wait()
	a.scheduler.stop(stopTimeout)
}

// report is the body of a report.
type report struct {
	ClientID    string    `json:"client_id"`
	ServiceName string    `json:"service_name"`
	Data        any       `json:"data"`
	At          time.Time `json:"at"`
	// RunID is the run that collected the data: a later run may send it.
	RunID string `json:"run_id"`
}

// maxDataSize is the largest data of a report as JSON, in bytes: the server's limit.
const maxDataSize = 64 << 10

// enqueue appends a report to the buffer.
func (a *Agent) enqueue(service string, data any, at time.Time) error {
	encoded, err := encodeJSON(data)
	if err != nil {
		return fmt.Errorf("encode the data: %w", err)
	}
	if len(encoded) > maxDataSize {
		return fmt.Errorf("its data has %d bytes as JSON: at most %d are allowed", len(encoded), maxDataSize)
	}
	body, err := encodeJSON(report{ClientID: a.status.ID, ServiceName: service, Data: json.RawMessage(encoded), At: at.UTC().Truncate(time.Millisecond), RunID: a.runID})
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	return a.buffer.append(body)
}

// encodeJSON encodes v without the escapes of HTML, which would make six bytes of one.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// deliver sends the buffered reports, oldest first, until ctx is done. A report is
// removed from the buffer when the server has accepted it or will never accept it. One
// whose response was lost is sent again.
func (a *Agent) deliver(ctx context.Context) {
	sendCtx, cancel := withGracePeriod(ctx, drainTimeout)
	defer cancel()
	var retry backoff
	failures := failureLog{log: a.log}
	for ctx.Err() == nil {
		body, pos, ok := a.buffer.first()
		if !ok {
			select {
			case <-ctx.Done():
			case <-a.buffer.filled:
			}
			continue
		}
		err := a.client.report(sendCtx, body)
		if err != nil && !asRequestError(err).permanent {
			if ctx.Err() != nil {
				return
			}
			failures.failed("reports cannot be delivered and are kept", err)
			a.updateStatus(func(s *Status) { s.ReportError = err.Error() })
			a.buffer.sync()
			sleep(ctx, retry.next(asRequestError(err).retryAfter))
			continue
		}
		if err != nil {
			a.log.Warn("report dropped", "report", string(body[:min(len(body), excerptSize)]), "err", err)
		}
		failures.recovered("reports are delivered again")
		retry = backoff{}
		now := time.Now()
		a.updateStatus(func(s *Status) {
			s.ReportError = ""
			if err != nil {
				s.Refused++
				return
			}
			s.Sent++
			s.LastSent = &now
		})
		a.buffer.remove(pos)
	}
}

// updateStatus changes the status under its lock.
func (a *Agent) updateStatus(change func(*Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.status)
}
