package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tocsin/pkg/host"
	"tocsin/pkg/store"
)

// anonymous is the sender when authentication is off.
var anonymous = host.Sender{}

func TestStatus(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	status := func(seconds float64) *host.Status {
		t.Helper()
		s, err := e.registry.Status(t.Context(), at(seconds), anonymous, "web-1")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	send := func(now, made float64, service, data, address string) {
		t.Helper()
		e.send(now, "web-1", host.Report{Service: service, Data: json.RawMessage(data), At: at(made), Address: address})
	}
	if s := status(0); s.State != host.StateNever || !s.LastReport.IsZero() || len(s.Services) != 3 || s.Services["LinuxCPU"].Interval != 15 || s.Services["LinuxCPU"].Plugin != "cpu" {
		t.Errorf("before any report: got %+v, want never, with three services", s)
	}
	send(0, 0, "LinuxCPU", `{"usage_percent": 1}`, "10.0.0.1")
	send(10, 10, "LinuxCPU", `{"usage_percent": 2}`, "")
	send(12, 5, "LinuxCPU", `{"usage_percent": 3}`, "10.0.0.2") // older than the stored value
	send(15, 15, "Custom", `{"x": 1}`, "10.0.0.2")              // not a service of the host: a heartbeat only
	s := status(20)
	if s.State != host.StateOnline || !s.LastReport.Equal(at(15)) || !s.UpSince.Equal(at(0)) || s.Address != "10.0.0.2" || len(s.Services) != 3 {
		t.Errorf("online: got %+v, want the last report at 15 from 10.0.0.2, up since 0", s)
	}
	if v := s.Services["LinuxCPU"]; !v.At.Equal(at(10)) || string(v.Data) != `{"usage_percent":2}` {
		t.Errorf("latest value: got %+v, want the one of 10", v)
	}
	if s := status(75); s.State != host.StateOffline || !s.UpSince.IsZero() {
		t.Errorf("silent: got %+v, want offline", s)
	}
	send(100, 100, "LinuxCPU", `{}`, "")
	if s := status(100); s.State != host.StateOnline || !s.UpSince.Equal(at(100)) {
		t.Errorf("online again: got %+v, want up since 100", s)
	}
	// Reports that arrive in another order are no interruption.
	send(150, 150, "LinuxCPU", `{}`, "")
	send(152, 110, "LinuxMemory", `{}`, "")
	send(175, 175, "LinuxCPU", `{}`, "")
	if s := status(175); !s.UpSince.Equal(at(100)) {
		t.Errorf("reordered reports: got up since %v, want %v", s.UpSince, at(100))
	}
	// A late report has the latest value.
	send(9000, 500, "LinuxCPU", `[4]`, "")
	if s := status(9000); s.State != host.StateOffline || string(s.Services["LinuxCPU"].Data) != `[4]` || !s.LastReport.Equal(at(500)) {
		t.Errorf("late report: got %+v, want offline, with the value of 500", s)
	}
}

func TestRejectedReport(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	for name, tt := range map[string]struct {
		id   string
		from host.Sender
		data string
		want error
	}{
		"unknown id":            {"web-2", anonymous, `{}`, host.ErrUnknown},
		"token of another host": {"web-1", host.Sender{Token: "x", Hosts: []string{"web-2"}}, `{}`, host.ErrForbidden},
		"too much data":         {"web-1", anonymous, `"` + strings.Repeat("x", host.MaxDataSize) + `"`, host.ErrTooLarge},
		"id with a slash":       {"web-1/LinuxCPU", anonymous, `{}`, host.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.registry.Report(t.Context(), at(0), tt.id, host.Report{From: tt.from, Service: "LinuxCPU", Data: json.RawMessage(tt.data)})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if items, _ := e.store.List(t.Context(), "host", "", 9); len(items) != 0 {
		t.Errorf("got items %v in the store, want none", items)
	}
	largest := `"` + strings.Repeat("x", host.MaxDataSize-2) + `"`
	escaped := `"` + strings.Repeat(`\u003c`, host.MaxDataSize-2) + `"`
	for _, data := range []string{largest, escaped} {
		e.send(0, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(data)})
	}
}

// A token is valid for the hosts that it is bound to: by itself, by a group that
// names it, or because they registered with it.
func TestTokenBounds(t *testing.T) {
	c := newConfig("web-1", "web-2", "db-1")
	c.Groups[0].Tokens = []string{"web"}
	c.Groups = append(c.Groups, host.Group{Name: "db", Tokens: []string{"db", "both"}}, host.Group{Name: "old", Tokens: []string{"both"}})
	c.Hosts[1].Groups = []string{"web", "old"}
	c.Hosts[2].Groups = []string{"db"}
	c.Register = &host.Register{Tokens: []string{"register", "other"}, Groups: []string{"web"}}
	e := newTestEnv(t, c)
	e.send(0, "vm-1", host.Report{From: host.Sender{Token: "register"}, Service: "LinuxCPU", Data: json.RawMessage(`{}`)})

	all := "db-1 vm-1 web-1 web-2"
	for name, tt := range map[string]struct {
		from host.Sender
		want string // the hosts that it is valid for
	}{
		"authentication is off":       {anonymous, all},
		"not bound":                   {host.Sender{Token: "prometheus"}, all},
		"bound to a host":             {host.Sender{Token: "x", Hosts: []string{"web-1"}}, "web-1"},
		"bound to an unknown host":    {host.Sender{Token: "x", Hosts: []string{"web-9"}}, ""},
		"bound to a group":            {host.Sender{Token: "web"}, "vm-1 web-1 web-2"},
		"bound to two groups":         {host.Sender{Token: "both"}, "db-1 web-2"},
		"bound to a group and a host": {host.Sender{Token: "db", Hosts: []string{"web-1"}}, "web-1"},
		"registered a host":           {host.Sender{Token: "register"}, "vm-1"},
		"registered no host":          {host.Sender{Token: "other"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var valid, listed []string
			for _, id := range strings.Fields(all) {
				_, err := e.registry.Host(t.Context(), tt.from, id)
				if err == nil {
					valid = append(valid, id)
				} else if !errors.Is(err, host.ErrForbidden) {
					t.Errorf("%s: got %v, want %v", id, err, host.ErrForbidden)
				}
			}
			if got := strings.Join(valid, " "); got != tt.want {
				t.Errorf("Host: got %q, want %q", got, tt.want)
			}
			list, err := e.registry.List(t.Context(), at(1), tt.from)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				listed = append(listed, s.ID)
			}
			if got := strings.Join(listed, " "); got != tt.want {
				t.Errorf("List: got %q, want %q", got, tt.want)
			}
		})
	}
}

// reportCPU sends a CPU report of a host that may have to register.
func reportCPU(e *testEnv, seconds float64, from host.Sender, id string, usage float64) error {
	_, err := e.registry.Report(e.t.Context(), at(seconds), id, host.Report{From: from, Service: "LinuxCPU", Data: json.RawMessage(cpu(usage))})
	return err
}

// Hosts register with a token that allows it, up to Max. They are forgotten after
// ForgetAfter, and when register is removed from the configuration.
func TestRegister(t *testing.T) {
	c := newConfig("web-1")
	c.Register = &host.Register{Tokens: []string{"register"}, Groups: []string{"web"}, Max: ptr(2), ForgetAfter: duration("10m")}
	rule := cpuHigh()
	rule.Match = host.Match{Host: pattern("vm-.*"), Group: pattern("web")}
	c.Rules = []host.Rule{rule}
	e := newTestEnv(t, c)
	from := host.Sender{Token: "register"}
	wantError := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}

	// A request for the configuration does not register the host.
	h, err := e.registry.Host(t.Context(), from, "vm-1")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := h.AgentConfig(); !strings.Contains(string(body), `"LinuxCPU":["cpu",15]`) {
		t.Errorf("got configuration %s, want LinuxCPU in it", body)
	}
	_, err = e.registry.Status(t.Context(), at(0), from, "vm-1")
	wantError("status of an unregistered host", err, host.ErrUnknown)

	for _, id := range []string{"a/b", "", "..", strings.Repeat("x", 129), "x y"} {
		wantError("invalid id "+id, reportCPU(e, 0, from, id, 1), host.ErrUnknown)
	}
	wantError("without a token", reportCPU(e, 0, anonymous, "vm-1", 1), host.ErrUnknown)
	wantError("token for another host", reportCPU(e, 0, host.Sender{Token: "register", Hosts: []string{"vm-7"}}, "vm-1", 1), host.ErrUnknown)

	e.check(0)
	for i, id := range []string{"vm-1", "vm-2", "vm-1"} {
		wantError(id, reportCPU(e, float64(i), from, id, 95), nil)
	}
	wantError("third host", reportCPU(e, 3, from, "vm-3", 1), host.ErrFull)
	e.wantReceived(3, "HostCPUHigh vm-1 0", "HostCPUHigh vm-2 1", "HostCPUHigh vm-1 0")
	e.wantFiring(3, "HostCPUHigh vm-1 0", "HostCPUHigh vm-2 1")
	for s := 60.0; s < 600; s += 60 {
		wantError("vm-2", reportCPU(e, s, from, "vm-2", 95), nil)
		e.check(s + 2)
	}
	e.wantFiring(600, "HostCPUHigh vm-1 0", "HostCPUHigh vm-2 1", "HostOffline vm-1 2")
	wantError("vm-2", reportCPU(e, 600, from, "vm-2", 95), nil)
	e.check(602) // vm-1 is forgotten: its alerts end, and another host can register
	e.check(603)
	e.wantFiring(603, "HostCPUHigh vm-2 1")
	wantError("third host after vm-1 was forgotten", reportCPU(e, 604, from, "vm-3", 1), nil)

	e.alerts.takeReceived()
	e.reload(newConfig("web-1"))
	e.wantCheck(660, "HostCPUHigh vm-2 1-660")
	wantError("vm-2 without register", reportCPU(e, 661, from, "vm-2", 1), host.ErrUnknown)
}

// Of two hosts that register at the same time only one gets the last place.
func TestConcurrentRegistrations(t *testing.T) {
	c := host.Config{Register: &host.Register{Tokens: []string{"register"}, Max: ptr(1)}}
	e := newTestEnv(t, c)
	rep := host.Report{From: host.Sender{Token: "register"}, Service: "x", Data: json.RawMessage(`1`)}
	other := *e.registry
	e.registry.Store = &interceptedStore{Store: e.store, before: func() {
		if _, err := other.Report(t.Context(), at(0), "b", rep); err != nil {
			t.Errorf("first one: got %v, want nil", err)
		}
	}}
	if _, err := e.registry.Report(t.Context(), at(0), "a", rep); !errors.Is(err, host.ErrFull) {
		t.Errorf("second one: got %v, want %v", err, host.ErrFull)
	}
}

// A report costs one read and one write.
func TestCostOfReport(t *testing.T) {
	e := newRuleEnv(t, cpuHigh())
	e.report(0, "web-1")
	s := &countingStore{Store: e.store}
	e.registry.Store = s
	e.report(15, "web-1")
	if s.gets != 1 || s.commits != 1 || s.lists+s.dues+s.nextDues != 0 {
		t.Errorf("got %+v, want one Get and one Commit", *s)
	}
}

type unavailableStore struct{ store.Store }

func (unavailableStore) Get(context.Context, ...string) ([]store.Item, error) {
	return nil, store.ErrUnavailable
}
func (unavailableStore) List(context.Context, string, string, int) ([]store.Item, error) {
	return nil, store.ErrUnavailable
}

func TestUnavailableStore(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	e.registry.Store, e.watcher.Store = unavailableStore{}, unavailableStore{}
	for name, call := range map[string]func() error{
		"Report": func() error { return reportCPU(e, 0, anonymous, "web-1", 1) },
		"Status": func() error { _, err := e.registry.Status(t.Context(), at(0), anonymous, "web-1"); return err },
		"List":   func() error { _, err := e.registry.List(t.Context(), at(0), anonymous); return err },
		"Check":  func() error { _, err := e.watcher.Check(t.Context(), at(0)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, store.ErrUnavailable)
			}
		})
	}
}
