package agent

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// gather collects once with a built-in plugin, on this machine unless proc says
// otherwise.
func gather(t *testing.T, name, proc string) any {
	t.Helper()
	p, err := plugins{proc: proc}.open(service{name: "S", plugin: name, interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.collect(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fakeProc writes a /proc of the given files.
func fakeProc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s is %v, want %v, give or take %v", what, got, want, within)
	}
}

// The names in the reports are the contract with the server.
func TestDataNames(t *testing.T) {
	for _, test := range []struct {
		data any
		want string
	}{
		{cpuData{1.5, 2, 3, 4, 5}, `{"usage_percent":1.5,"cores":2,"user_percent":3,"system_percent":4,"iowait_percent":5}`},
		{memoryData{1, 2, 3, 4.5, 5, 6, 7.5}, `{"total_bytes":1,"used_bytes":2,"available_bytes":3,"used_percent":4.5,"swap_total_bytes":5,"swap_used_bytes":6,"swap_used_percent":7.5}`},
		{diskData{map[string]mountData{"/": {1, 2, 3.5, 4.5}}}, `{"mounts":{"/":{"total_bytes":1,"used_bytes":2,"used_percent":3.5,"inodes_used_percent":4.5}}}`},
		{networkData{map[string]networkRates{"eth0": {1, 2, 3, 4}}}, `{"interfaces":{"eth0":{"rx_bytes_per_second":1,"tx_bytes_per_second":2,"rx_errors_per_second":3,"tx_errors_per_second":4}}}`},
		{loadData{1.25, 2, 3, 0.63}, `{"load1":1.25,"load5":2,"load15":3,"load1_per_core":0.63}`},
		{uptimeData{1, 2}, `{"seconds":1,"boot_time":2}`},
		{processesData{1, 2, 3}, `{"total":1,"running":2,"zombies":3}`},
		{tcpData{1, 2, 3, 4, 5}, `{"established":1,"time_wait":2,"close_wait":3,"listen":4,"total":5}`},
	} {
		if got, err := json.Marshal(test.data); err != nil || string(got) != test.want {
			t.Errorf("%s, %v\nwant %s", got, err, test.want)
		}
	}
}

// A machine that misses what it should have is an error, not a report of zeros.
func TestPluginsWithoutProc(t *testing.T) {
	proc := t.TempDir()
	for _, name := range []string{"cpu", "memory", "disk", "network", "load", "tcp"} {
		p, err := plugins{proc: proc}.open(service{plugin: name, interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if data, err := p.collect(t.Context(), time.Now()); err == nil && name != "load" {
			t.Errorf("%s: %+v, want an error", name, data)
		}
	}
	if data := gather(t, "processes", proc); data != (processesData{}) {
		t.Errorf("%+v", data)
	}
}
