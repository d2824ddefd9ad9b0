package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/host"
	"tocsin/pkg/store"
)

// nobody is a sender of whom no token was asked.
var nobody = host.Sender{}

func TestLatest(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	get := func(seconds float64) *host.Status {
		t.Helper()
		s, err := w.reg.Status(t.Context(), at(seconds), nobody, "web-1")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := get(0); s.State != host.StateNever || !s.LastReport.IsZero() || len(s.Services) != 3 || s.Services["LinuxCPU"].Interval != 15 || s.Services["LinuxCPU"].Plugin != "cpu" {
		t.Errorf("%+v", s)
	}
	send := func(now, made float64, service, data, address string) {
		t.Helper()
		w.send(now, "web-1", host.Report{Service: service, Data: json.RawMessage(data), At: at(made), Address: address})
	}
	send(0, 0, "LinuxCPU", `{"usage_percent": 1}`, "10.0.0.1")
	send(10, 10, "LinuxCPU", `{"usage_percent": 2}`, "")
	send(12, 5, "LinuxCPU", `{"usage_percent": 3}`, "10.0.0.2") // older: it overwrites nothing
	send(15, 15, "Custom", `{"x": 1}`, "10.0.0.2")              // not to be collected: a sign of life
	s := get(20)
	if s.State != host.StateOnline || !s.LastReport.Equal(at(15)) || !s.UpSince.Equal(at(0)) || s.Address != "10.0.0.2" || len(s.Services) != 3 {
		t.Errorf("%+v", s)
	}
	if c := s.Services["LinuxCPU"]; !c.At.Equal(at(10)) || string(c.Data) != `{"usage_percent":2}` {
		t.Errorf("%+v", c)
	}
	if s := get(75); s.State != host.StateOffline || !s.UpSince.IsZero() {
		t.Errorf("%+v", s)
	}
	send(100, 100, "LinuxCPU", `{}`, "")
	if s := get(100); s.State != host.StateOnline || !s.UpSince.Equal(at(100)) {
		t.Errorf("%+v", s)
	}
	// Two that changed places on the way are no silence of a minute.
	send(150, 150, "LinuxCPU", `{}`, "")
	send(152, 110, "LinuxMemory", `{}`, "")
	send(175, 175, "LinuxCPU", `{}`, "")
	if s := get(175); !s.UpSince.Equal(at(100)) {
		t.Errorf("%+v", s)
	}
	// What came late is the latest value all the same.
	send(9000, 500, "LinuxCPU", `[4]`, "")
	if s := get(9000); s.State != host.StateOffline || string(s.Services["LinuxCPU"].Data) != `[4]` || !s.LastReport.Equal(at(500)) {
		t.Errorf("%+v", s)
	}
}

func TestReportIsRefused(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	for name, tt := range map[string]struct {
		id   string
		rep  host.Report
		want error
	}{
		"unknown":            {"web-2", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`)}, host.ErrUnknown},
		"another's id":       {"web-1", host.Report{From: host.Sender{Token: "x", Hosts: []string{"web-2"}}, Service: "LinuxCPU", Data: json.RawMessage(`{}`)}, host.ErrForbidden},
		"too large":          {"web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`"` + strings.Repeat("x", host.MaxDataSize) + `"`)}, host.ErrTooLarge},
		"an id with a slash": {"web-1/LinuxCPU", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`)}, host.ErrUnknown},
	} {
		if _, err := w.reg.Report(t.Context(), at(0), tt.id, tt.rep); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if items, _ := w.store.List(t.Context(), "host", "", 9); len(items) != 0 {
		t.Errorf("left in the store: %v", items)
	}
	full := `"` + strings.Repeat("x", host.MaxDataSize-2) + `"`
	w.send(0, "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(full)})
}

// Tokens speak for the hosts that they are bound to: by themselves, by a group
// that names them, or by having enrolled them.
func TestWhoMaySpeak(t *testing.T) {
	c := linux("web-1", "web-2", "db-1")
	c.Groups[0].Tokens = []string{"web"}
	c.Groups = append(c.Groups, host.Group{Name: "db", Tokens: []string{"db", "both"}}, host.Group{Name: "old", Tokens: []string{"both"}})
	c.Hosts[1].Groups = []string{"web", "old"}
	c.Hosts[2].Groups = []string{"db"}
	c.Register = &host.Register{Tokens: []string{"enrol", "other"}, Groups: []string{"web"}}
	w := newWorld(t, c)
	w.send(0, "vm-1", host.Report{From: host.Sender{Token: "enrol"}, Service: "LinuxCPU", Data: json.RawMessage(`{}`)})

	all := "db-1 vm-1 web-1 web-2"
	for name, tt := range map[string]struct {
		from host.Sender
		want string // of these
	}{
		"nobody is asked":          {nobody, all},
		"a token without bounds":   {host.Sender{Token: "prometheus"}, all},
		"bound to a host":          {host.Sender{Token: "x", Hosts: []string{"web-1"}}, "web-1"},
		"to one that is not there": {host.Sender{Token: "x", Hosts: []string{"web-9"}}, ""},
		"bound to a group":         {host.Sender{Token: "web"}, "vm-1 web-1 web-2"},
		"to two":                   {host.Sender{Token: "both"}, "db-1 web-2"},
		"to a group and a host":    {host.Sender{Token: "db", Hosts: []string{"web-1"}}, "web-1"},
		"that enrolled":            {host.Sender{Token: "enrol"}, "vm-1"},
		"that enrolled none":       {host.Sender{Token: "other"}, ""},
	} {
		var may []string
		for _, id := range strings.Fields(all) {
			_, err := w.reg.Host(t.Context(), tt.from, id)
			if err == nil {
				may = append(may, id)
			} else if !errors.Is(err, host.ErrForbidden) {
				t.Errorf("%s, %s: %v", name, id, err)
			}
		}
		if got := strings.Join(may, " "); got != tt.want {
			t.Errorf("%s: may speak for %q, want %q", name, got, tt.want)
		}
		var listed []string
		list, err := w.reg.List(t.Context(), at(1), tt.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			listed = append(listed, s.ID)
		}
		if got := strings.Join(listed, " "); got != tt.want {
			t.Errorf("%s: is shown %q, want %q", name, got, tt.want)
		}
	}
}

// Hosts enrol themselves with a token that allows it, up to a bound, and are
// forgotten when they have been silent for long.
func TestEnrol(t *testing.T) {
	c := linux("web-1")
	c.Register = &host.Register{Tokens: []string{"enrol"}, Groups: []string{"web"}, Max: ptr(2), ForgetAfter: duration("10m")}
	c.Rules = []host.Rule{{Alert: "HostCPUHigh", Match: host.Match{Host: pattern("vm-.*"), Group: pattern("web")}, Value: "cpu.usage_percent", Above: ptr(90.0)}}
	w := newWorld(t, c)
	from := host.Sender{Token: "enrol"}
	report := func(seconds float64, from host.Sender, id, load string) error {
		_, err := w.reg.Report(t.Context(), at(seconds), id, host.Report{From: from, Service: "LinuxCPU", Data: json.RawMessage(cpu(load))})
		return err
	}
	// To ask is not to enrol.
	h, err := w.reg.Host(t.Context(), from, "vm-1")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := h.AgentConfig(); !strings.Contains(string(body), `"LinuxCPU":["cpu",15]`) {
		t.Errorf("%s", body)
	}
	if _, err := w.reg.Status(t.Context(), at(0), from, "vm-1"); !errors.Is(err, host.ErrUnknown) {
		t.Errorf("%v", err)
	}
	for _, id := range []string{"a/b", "", "..", strings.Repeat("x", 129), "x y"} {
		if err := report(0, from, id, "1"); !errors.Is(err, host.ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := report(0, nobody, "vm-1", "1"); !errors.Is(err, host.ErrUnknown) {
		t.Errorf("without a token: %v", err)
	}
	if err := report(0, host.Sender{Token: "enrol", Hosts: []string{"vm-7"}}, "vm-1", "1"); !errors.Is(err, host.ErrUnknown) {
		t.Errorf("with a token for another host: %v", err)
	}

	w.check(0)
	for i, id := range []string{"vm-1", "vm-2", "vm-1"} {
		if err := report(float64(i), from, id, "95"); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := report(3, from, "vm-3", "1"); !errors.Is(err, host.ErrFull) {
		t.Errorf("%v", err)
	}
	if got, want := w.ear.heard(), "HostCPUHigh vm-1 0\nHostCPUHigh vm-2 1\nHostCPUHigh vm-1 0"; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
	if l := w.ear.firing(at(3)); len(l) != 2 {
		t.Error(l)
	}
	for s := 60.0; s < 600; s += 60 {
		if err := report(s, from, "vm-2", "95"); err != nil {
			t.Error(err)
		}
		w.check(s + 2)
	}
	if got := fmt.Sprint(w.ear.firing(at(600))); got != "[HostCPUHigh vm-1 0 HostCPUHigh vm-2 1 HostOffline vm-1 2]" {
		t.Errorf("firing %s", got)
	}
	if err := report(600, from, "vm-2", "95"); err != nil {
		t.Error(err)
	}
	w.check(602) // forgotten: its alerts end, and its place is free
	w.check(603)
	if got := fmt.Sprint(w.ear.firing(at(603))); got != "[HostCPUHigh vm-2 1]" {
		t.Errorf("firing %s", got)
	}
	if err := report(604, from, "vm-3", "1"); err != nil {
		t.Error(err)
	}
	// Without `register` they are no hosts any more.
	w.ear.heard()
	w.load(linux("web-1"))
	w.expect(660, "HostCPUHigh vm-2 1-660")
	if err := report(661, from, "vm-2", "1"); !errors.Is(err, host.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// Two hosts that enrol at the same time do not both take the last place.
func TestEnrolTogether(t *testing.T) {
	c := host.Config{Register: &host.Register{Tokens: []string{"enrol"}, Max: ptr(1)}}
	w := newWorld(t, c)
	rep := host.Report{From: host.Sender{Token: "enrol"}, Service: "x", Data: json.RawMessage(`1`)}
	other := *w.reg
	w.reg.Store = &intruded{Store: w.store, before: func() {
		if _, err := other.Report(t.Context(), at(0), "b", rep); err != nil {
			t.Error(err)
		}
	}}
	if _, err := w.reg.Report(t.Context(), at(0), "a", rep); !errors.Is(err, host.ErrFull) {
		t.Errorf("%v", err)
	}
}

// away is a store out of reach.
type away struct{ store.Store }

func (away) Get(context.Context, ...string) ([]store.Item, error) { return nil, store.ErrUnavailable }
func (away) List(context.Context, string, string, int) ([]store.Item, error) {
	return nil, store.ErrUnavailable
}

func TestStoreAway(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.reg.Store, w.watch.Store = away{}, away{}
	_, report := w.reg.Report(t.Context(), at(0), "web-1", host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{}`)})
	_, latest := w.reg.Status(t.Context(), at(0), nobody, "web-1")
	_, list := w.reg.List(t.Context(), at(0), nobody)
	_, check := w.watch.Check(t.Context(), at(0))
	for i, err := range []error{report, latest, list, check} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
