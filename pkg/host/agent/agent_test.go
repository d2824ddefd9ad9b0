package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countCollections makes the number of the collection, from 1 on, the data of
// every service.
func countCollections(a *Agent) {
	var n atomic.Int64
	a.scheduler.open = func(service) (plugin, error) {
		return newTestPlugin(func(context.Context) (any, error) { return map[string]int64{"n": n.Add(1)}, nil }), nil
	}
}

// startAgent runs an agent until stop is called.
func startAgent(t *testing.T, a *Agent) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		a.runLoops(ctx, a.config.services(a.log))
		close(ended)
	}()
	return func() {
		cancel()
		<-ended
		if err := a.buffer.close(); err != nil {
			t.Errorf("close the buffer: got %v, want nil", err)
		}
		a.lock.Close()
	}
}

// startCountingAgent starts an agent that reports the numbers of its collections to
// s without a network.
func startCountingAgent(t *testing.T, s *testServer, stateDir string) (a *Agent, l *logOutput, stop func()) {
	t.Helper()
	a, l = newTestAgent(t, s, stateDir)
	countCollections(a)
	return a, l, startAgent(t, a)
}

// collectEvery10s is a configuration with one service.
const collectEvery10s = `{"LinuxCPU": ["cpu", 10]}`

// wantReports fails the test unless got has the reports from first to last in
// order, one interval apart.
func wantReports(t *testing.T, got []receivedReport, first, last int, interval time.Duration) {
	t.Helper()
	if len(got) != last-first+1 {
		t.Fatalf("got %d reports, want %d to %d", len(got), first, last)
	}
	for i, r := range got {
		if n, _ := r.Data["n"].(float64); int(n) != first+i {
			t.Fatalf("got report %v, want number %d", r, first+i)
		}
		if want := got[0].At.Add(time.Duration(i) * interval); !r.At.Equal(want) {
			t.Fatalf("report %d: got time %s, want %s", first+i, r.At, want)
		}
	}
}

// While the server is unreachable reports wait, in order and with their times. They
// are delivered within half a minute of its return. The log has one line for the
// outage and one for its end.
func TestServerUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, collectEvery10s)
		a, l, stop := startCountingAgent(t, s, t.TempDir())
		defer stop()
		time.Sleep(time.Minute)
		wantReports(t, s.received(), 1, 6, 10*time.Second)
		s.update(func() { s.unreachable = true })
		time.Sleep(3 * time.Hour)
		if st := a.currentStatus(); st.Waiting != 3*360 || st.ReportError == "" || st.ConfigError == "" || st.Sent != 6 {
			t.Errorf("unreachable: got status %+v, want 1080 waiting, 6 sent and errors", st)
		}
		s.update(func() { s.unreachable = false })
		time.Sleep(maxBackoff)
		wantReports(t, s.received(), 1, 6+3*360+3, 10*time.Second)
		time.Sleep(time.Minute)
		if st := a.currentStatus(); st.Waiting != 0 || st.ReportError != "" || st.ConfigError != "" || st.Dropped != 0 {
			t.Errorf("reachable again: got status %+v, want none waiting or dropped and no error", st)
		}
		l.wantLine(t, "reports cannot be delivered", "connection refused")
		l.wantLine(t, "reports are delivered again")
		l.wantLine(t, "configuration cannot be read")
		l.wantLine(t, "configuration can be read again")
	})
}

// An agent that is restarted while the server is unreachable collects with the
// saved configuration. The reports of all runs are delivered.
func TestRestartWhileServerIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, collectEvery10s)
		dir := t.TempDir()
		_, _, stop := startCountingAgent(t, s, dir)
		time.Sleep(time.Minute)
		stop()
		wantReports(t, s.received(), 1, 6, 10*time.Second)
		s.update(func() { s.unreachable, s.reports = true, nil })
		for range 3 {
			var a *Agent
			a, _, stop = startCountingAgent(t, s, dir)
			time.Sleep(time.Minute)
			if n := a.buffer.stats().reports; n%6 != 0 || n == 0 {
				t.Errorf("got %d reports waiting, want a multiple of 6", n)
			}
			stop()
		}
		s.update(func() { s.unreachable = false })
		a, _ := newTestAgent(t, s, dir)
		stop = startAgent(t, a)
		defer stop()
		synctest.Wait()
		got := s.received()
		if len(got) != 18 {
			t.Fatalf("got %d reports, want 18", len(got))
		}
		runs := map[string]bool{}
		for i := range 3 {
			wantReports(t, got[6*i:6*i+6], 1, 6, 10*time.Second)
			if first, last := got[6*i].RunID, got[6*i+5].RunID; first == "" || first != last {
				t.Errorf("run %d: got run ids %q and %q, want one", i, first, last)
			}
			runs[got[6*i].RunID] = true
		}
		if len(runs) != 3 || runs[a.runID] {
			t.Errorf("got run ids %v, want those of the 3 runs that collected the data, not %s, which sent it", runs, a.runID)
		}
	})
}

// A configuration that did not change is not sent again, a new one is applied
// within a minute, and an invalid one is ignored.
func TestConfigurationChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, collectEvery10s)
		a, l, stop := startCountingAgent(t, s, t.TempDir())
		defer stop()
		time.Sleep(10*time.Minute + time.Second)
		s.update(func() {
			if s.configsSent != 1 || s.configsCurrent != 10 {
				t.Errorf("got %d configurations and %d times 304, want 1 and 10", s.configsSent, s.configsCurrent)
			}
		})
		s.update(func() { s.services = `{"LinuxCPU": ["cpu", 10], "LinuxLoad": ["load", 20], "Bad": 1}` })
		time.Sleep(time.Minute)
		if st := a.currentStatus(); len(st.Services) != 2 || st.Services[1].Name != "LinuxLoad" {
			t.Errorf("new configuration: got services %+v, want LinuxCPU and LinuxLoad", st.Services)
		}
		l.wantLine(t, "Bad", "left out")
		s.update(func() { s.services = `[]` })
		time.Sleep(5 * time.Minute)
		if st := a.currentStatus(); len(st.Services) != 2 || !strings.Contains(st.ConfigError, "invalid") {
			t.Errorf("invalid configuration: got status %+v, want 2 services and an error", st)
		}
		l.wantLine(t, "invalid")
		s.update(func() { s.services = `{}` })
		time.Sleep(2 * time.Minute)
		if st := a.currentStatus(); len(st.Services) != 0 || st.ConfigError != "" {
			t.Errorf("empty configuration: got status %+v, want no services and no error", st)
		}
	})
}

// A report that the server rejects is dropped. Reports that wait for a correction
// by a person are kept and retried about once a minute.
func TestRejectedReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, collectEvery10s)
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "GET" {
				return false
			}
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), `"n":2}`) {
				w.WriteHeader(http.StatusBadRequest)
				return true
			}
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			return false
		}
		a, l, stop := startCountingAgent(t, s, t.TempDir())
		defer stop()
		time.Sleep(time.Minute)
		if got, st := s.received(), a.currentStatus(); len(got) != 5 || st.Refused != 1 {
			t.Errorf("one report rejected: got %d reports, status %+v; want 5 and 1 refused", len(got), st)
		}
		l.wantLine(t, "report dropped", "LinuxCPU", "400")

		requests := 0
		s.update(func() {
			s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == "POST" {
					requests++
				}
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
		})
		time.Sleep(time.Hour)
		s.update(func() {
			if requests < 50 || requests > 61 {
				t.Errorf("token rejected: got %d requests in an hour, want about one a minute", requests)
			}
		})
		if st := a.currentStatus(); st.Waiting != 360 || st.Refused != 1 {
			t.Errorf("token rejected: got status %+v, want 360 waiting and 1 refused", st)
		}
		l.wantLine(t, "reports cannot be delivered", "webhook.auth.tokens")
		s.update(func() { s.intercept = nil })
		time.Sleep(2 * time.Minute)
		if got := s.received(); len(got) != 5+360+12 {
			t.Errorf("token accepted again: got %d reports, want 377", len(got))
		}
	})
}

// The agent waits as long as Retry-After asks, and up to a tenth longer.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, collectEvery10s)
		var requests []time.Time
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "GET" {
				return false
			}
			requests = append(requests, time.Now())
			w.Header().Set("Retry-After", "300")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		_, _, stop := startCountingAgent(t, s, t.TempDir())
		time.Sleep(time.Hour)
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(requests) < 10 || len(requests) > 12 {
			t.Errorf("got %d requests in an hour, want one every 300 to 330 s", len(requests))
		}
		for i := range requests[1:] {
			if d := requests[i+1].Sub(requests[i]); d < 300*time.Second || d > 331*time.Second {
				t.Errorf("got a retry after %s, want 300 to 330 s", d)
			}
		}
	})
}

// A request in flight may complete when the agent stops, but does not keep it from
// stopping. Then its report is kept.
func TestStopWhileSending(t *testing.T) {
	for name, tt := range map[string]struct {
		takes    time.Duration
		delivers bool
	}{
		"fast enough": {2 * time.Second, true},
		"too slow":    {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestServer(t, collectEvery10s)
				a, _ := newTestAgent(t, s, t.TempDir())
				a.client.http.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
					if r.Method == "POST" && !sleep(r.Context(), tt.takes) {
						return nil, r.Context().Err()
					}
					return s.RoundTrip(r)
				})
				countCollections(a)
				stop := startAgent(t, a)
				for a.buffer.stats().reports == 0 {
					time.Sleep(time.Second)
				}
				begin, dir := time.Now(), a.stateDir
				stop()
				if d := time.Since(begin); d > drainTimeout {
					t.Errorf("got %s to stop, want %s at most", d, drainTimeout)
				}
				if got := len(s.received()) == 1; got != tt.delivers {
					t.Errorf("got delivered %v, want %v", got, tt.delivers)
				}
				b, _ := newTestBuffer(t, filepath.Join(dir, "buffer"), 1<<20)
				if n := b.stats().reports; n == 0 != tt.delivers {
					t.Errorf("got %d reports left, want delivered %v", n, tt.delivers)
				}
			})
		})
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestValidateOptions(t *testing.T) {
	valid := Options{Server: "https://alerts.example.com", ID: "web-1", Token: testToken, BufferSize: minBufferSize}
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string // part of the error, "" for none
	}{
		"valid":                         {func(*Options) {}, ""},
		"server with a port and a path": {func(o *Options) { o.Server = "https://alerts.example.com:8443/tocsin/" }, ""},
		"server at an IPv6 address":     {func(o *Options) { o.Server = "http://[::1]:9093" }, ""},
		"no server":                     {func(o *Options) { o.Server = "" }, "--server is missing"},
		"server without a scheme":       {func(o *Options) { o.Server = "alerts.example.com" }, "--server must begin with https://"},
		"server with another scheme":    {func(o *Options) { o.Server = "ftp://alerts.example.com" }, "--server must begin with https://"},
		"server without a host":         {func(o *Options) { o.Server = "https://:9093/x" }, "--server names no host"},
		"server with port 0":            {func(o *Options) { o.Server = "https://alerts.example.com:0" }, "--server has a port"},
		"server with a password":        {func(o *Options) { o.Server = "https://u:hunter2@alerts.example.com" }, "without user"},
		"invalid server with a secret":  {func(o *Options) { o.Server = "https://u:hunter2@alerts.example.com:x" }, "--server is not a URL"},
		"server with a token":           {func(o *Options) { o.Server = "https://alerts.example.com/?token=hunter2" }, "without user"},
		"no id":                         {func(o *Options) { o.ID = "" }, "--id is missing"},
		"no token":                      {func(o *Options) { o.Token = "" }, "--token-file"},
		"token of two lines":            {func(o *Options) { o.Token = "hunter2\nx" }, "a line break"},
		"small buffer":                  {func(o *Options) { o.BufferSize = minBufferSize - 1 }, "--buffer is 1048575B"},
	} {
		t.Run(name, func(t *testing.T) {
			o := valid
			tt.change(&o)
			got := ""
			if err := o.Validate(); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("got %q, want no secret in it", got)
			}
		})
	}
}

func TestDataSize(t *testing.T) {
	for _, test := range []struct {
		name  string
		value string
		err   string // "" for none
	}{
		{"as much as is allowed", strings.Repeat("x", 64<<10-len(`{"a":""}`)), ""},
		{"what HTML would escape", strings.Repeat("<", 60<<10), ""},
		{"one byte more than allowed", strings.Repeat("x", 64<<10-len(`{"a":""}`)+1), "65537 bytes as JSON"},
		{"what JSON must escape", strings.Repeat("\x01", 60<<10), "368648 bytes as JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, _ := newTestAgent(t, newTestServer(t, "{}"), t.TempDir())
			err := a.enqueue("S", map[string]any{"a": test.value}, time.Now())
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("got %v, want an error with %q", err, test.err)
			}
			body, _, _ := a.buffer.first()
			if got, want := len(body) > 0, err == nil; got != want {
				t.Errorf("got a report of %d bytes, want one: %t", len(body), want)
			}
			if limit := 65 << 10; len(body) > limit {
				t.Errorf("got a report of %d bytes, want at most %d", len(body), limit)
			}
		})
	}
}

func TestPermissionsDrawWarnings(t *testing.T) {
	for _, test := range []struct {
		name         string
		mode, others fs.FileMode
		want         bool
	}{
		{"a token that every user can read", 0o644, 0o004, true},
		{"a token that its group can read", 0o640, 0o004, false},
		{"a token of one user", 0o600, 0o004, false},
		{"a directory of plugins that every user can write to", 0o777, 0o002, true},
		{"a directory of plugins that every user can read", 0o755, 0o002, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, test.mode)); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			warnOthersCan(slog.New(slog.NewTextHandler(&log, nil)), path, test.others, "beware")
			if got := strings.Contains(log.String(), "beware"); got != test.want {
				t.Errorf("got log %q, want a warning: %t", log.String(), test.want)
			}
		})
	}
}
