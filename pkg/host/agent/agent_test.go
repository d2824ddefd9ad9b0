package agent

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counting makes a count the data of every service, from 1 on.
func counting(a *Agent) {
	var n atomic.Int64
	a.scheduler.open = func(service) (plugin, error) {
		return simple(func(context.Context) (any, error) { return map[string]int64{"n": n.Add(1)}, nil }), nil
	}
}

// start lets an agent work until stop is called.
func start(t *testing.T, a *Agent) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		a.work(ctx, a.config.services(a.log))
		close(ended)
	}()
	return func() {
		cancel()
		<-ended
		if err := a.buffer.close(); err != nil {
			t.Error(err)
		}
		a.lock.Close()
	}
}

// inOrder wants all reports from first to last, once each, with their own times.
func inOrder(t *testing.T, got []gotReport, first, last int, interval time.Duration) {
	t.Helper()
	if len(got) != last-first+1 {
		t.Fatalf("%d reports, want %d to %d", len(got), first, last)
	}
	for i, r := range got {
		if n, _ := r.Data["n"].(float64); int(n) != first+i {
			t.Fatalf("report %d is %v", first+i, r)
		}
		if want := got[0].At.Add(time.Duration(i) * interval); !r.At.Equal(want) {
			t.Fatalf("report %d is of %s, want %s", first+i, r.At, want)
		}
	}
}

// The server goes away and comes back: nothing is lost, the order is kept, and
// all is there within half a minute of its return. One line tells of it, and one
// that it is over.
func TestServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, `{"LinuxCPU": ["cpu", 10]}`)
		a, l := newAgent(t, s, t.TempDir())
		counting(a)
		stop := start(t, a)
		defer stop()
		time.Sleep(time.Minute)
		inOrder(t, s.got(), 1, 6, 10*time.Second)
		s.set(func() { s.away = true })
		time.Sleep(3 * time.Hour)
		if st := a.now(); st.Waiting != 3*360 || st.ReportError == "" || st.ConfigError == "" || st.Sent != 6 {
			t.Errorf("while it is away: %+v", st)
		}
		s.set(func() { s.away = false })
		time.Sleep(longestWait)
		inOrder(t, s.got(), 1, 6+3*360+3, 10*time.Second)
		time.Sleep(time.Minute)
		if st := a.now(); st.Waiting != 0 || st.ReportError != "" || st.ConfigError != "" || st.Dropped != 0 {
			t.Errorf("when it is back: %+v", st)
		}
		if l.has("reports are kept", "connection refused") != 1 || l.has("reports are sent again") != 1 || l.has("cannot be read") != 1 || l.has("can be read again") != 1 {
			t.Errorf("the log:\n%s", l)
		}
	})
}

// An agent that is stopped while the server is away, and started while it still
// is, collects by its old configuration and sends all in the end.
func TestRestartsWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, `{"LinuxCPU": ["cpu", 10]}`)
		dir := t.TempDir()
		a, _ := newAgent(t, s, dir)
		counting(a)
		stop := start(t, a)
		time.Sleep(time.Minute)
		stop()
		inOrder(t, s.got(), 1, 6, 10*time.Second)
		s.set(func() { s.away, s.reports = true, nil })
		for range 3 {
			a, _ = newAgent(t, s, dir)
			counting(a)
			stop = start(t, a)
			time.Sleep(time.Minute)
			if n := a.buffer.stats().reports; n%6 != 0 || n == 0 {
				t.Errorf("%d reports wait", n)
			}
			stop()
		}
		s.set(func() { s.away = false })
		a, _ = newAgent(t, s, dir)
		stop = start(t, a)
		defer stop()
		synctest.Wait()
		got := s.got()
		if len(got) != 18 {
			t.Fatalf("%d reports, want 18", len(got))
		}
		for i := range 3 {
			inOrder(t, got[6*i:6*i+6], 1, 6, 10*time.Second)
		}
	})
}

// A configuration that has not changed is not sent again, one that has is in
// force within a minute, and one that is nonsense changes nothing.
func TestConfigurationChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, `{"LinuxCPU": ["cpu", 10]}`)
		a, l := newAgent(t, s, t.TempDir())
		counting(a)
		stop := start(t, a)
		defer stop()
		time.Sleep(10*time.Minute + time.Second)
		s.set(func() {
			if s.asked != 1 || s.same != 10 {
				t.Errorf("%d configurations and %d times the same, want 1 and 10", s.asked, s.same)
			}
		})
		s.set(func() { s.services = `{"LinuxCPU": ["cpu", 10], "LinuxLoad": ["load", 20], "Bad": 1}` })
		time.Sleep(time.Minute)
		if st := a.now(); len(st.Services) != 2 || st.Services[1].Name != "LinuxLoad" || l.has(`Bad`, "left out") != 1 {
			t.Errorf("%+v\n%s", st.Services, l)
		}
		s.set(func() { s.services = `[]` })
		time.Sleep(5 * time.Minute)
		if st := a.now(); len(st.Services) != 2 || !strings.Contains(st.ConfigError, "not understood") || l.has("not understood") != 1 {
			t.Errorf("%+v\n%s", st, l)
		}
		s.set(func() { s.services = `{}` })
		time.Sleep(2 * time.Minute)
		if st := a.now(); len(st.Services) != 0 || st.ConfigError != "" {
			t.Errorf("%+v", st)
		}
	})
}

// What the server will never take is dropped with a line; what a person must put
// right is kept, and asked about once a minute.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, `{"LinuxCPU": ["cpu", 10]}`)
		asks := 0
		s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
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
		a, l := newAgent(t, s, t.TempDir())
		counting(a)
		stop := start(t, a)
		defer stop()
		time.Sleep(time.Minute)
		if got := s.got(); len(got) != 5 || a.now().Refused != 1 || l.has("a report is dropped", "LinuxCPU", "400") != 1 {
			t.Errorf("%d reports, %+v\n%s", len(got), a.now(), l)
		}
		s.set(func() {
			s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == "POST" {
					asks++
				}
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
		})
		time.Sleep(time.Hour)
		s.set(func() {
			if asks < 50 || asks > 61 {
				t.Errorf("asked %d times in an hour, want about once a minute", asks)
			}
		})
		if st := a.now(); st.Waiting != 360 || st.Refused != 1 || l.has("reports are kept", "webhook.auth.tokens") != 1 {
			t.Errorf("%+v\n%s", st, l)
		}
		s.set(func() { s.refuse = nil })
		time.Sleep(2 * time.Minute)
		if got := s.got(); len(got) != 5+360+12 {
			t.Errorf("%d reports, want 377", len(got))
		}
	})
}

// A server that asks for patience gets it.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, `{"LinuxCPU": ["cpu", 10]}`)
		var asks []time.Time
		s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "GET" {
				return false
			}
			asks = append(asks, time.Now())
			w.Header().Set("Retry-After", "300")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		a, _ := newAgent(t, s, t.TempDir())
		counting(a)
		stop := start(t, a)
		time.Sleep(time.Hour)
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(asks) < 10 || len(asks) > 12 {
			t.Errorf("asked %d times in an hour, want every 300 s and up to a tenth more", len(asks))
		}
		for i := range asks[1:] {
			if d := asks[i+1].Sub(asks[i]); d < 300*time.Second || d > 331*time.Second {
				t.Errorf("asked again after %s", d)
			}
		}
	})
}

// A report that is on its way when the agent stops may arrive, but not keep it
// from stopping; it is kept then.
func TestStopWhileSending(t *testing.T) {
	for _, takes := range []time.Duration{2 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, `{"LinuxCPU": ["cpu", 10]}`)
			slow := transport(func(r *http.Request) (*http.Response, error) {
				if r.Method == "POST" && !sleep(r.Context(), takes) {
					return nil, r.Context().Err()
				}
				return s.RoundTrip(r)
			})
			a, _ := newAgent(t, s, t.TempDir())
			a.client.http.Transport = slow
			counting(a)
			stop := start(t, a)
			for a.buffer.stats().reports == 0 {
				time.Sleep(time.Second)
			}
			begin, dir := time.Now(), a.state
			stop()
			arrived := takes < lastWord
			if d := time.Since(begin); d > lastWord || len(s.got()) == 1 != arrived {
				t.Errorf("a request of %s: stopped after %s, %d reports arrived", takes, d, len(s.got()))
			}
			b, _ := newBuffer(t, filepath.Join(dir, "buffer"), 1<<20)
			if n := b.stats().reports; n == 0 != arrived {
				t.Errorf("a request of %s: %d reports are left", takes, n)
			}
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
