package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// The usage between two states, by hand: of 1000 ticks 300 were user (100 of
// them nice), 150 system (30 interrupts), 400 idle, 50 waiting, 100 stolen.
func TestCPUUsage(t *testing.T) {
	at := func(user, nice, system, idle, iowait, irq, softirq, steal float64) []cpu.TimesStat {
		half := cpu.TimesStat{User: user / 2, Nice: nice / 2, System: system / 2, Idle: idle / 2, Iowait: iowait / 2, Irq: irq / 2, Softirq: softirq / 2, Steal: steal / 2, Guest: user / 4}
		return []cpu.TimesStat{half, half}
	}
	before, after := at(1000, 0, 500, 9000, 100, 10, 10, 0), at(1200, 100, 620, 9400, 150, 20, 30, 100)
	got, ok := cpuUsage(before, after)
	if want := (cpuData{UsagePercent: 55, Cores: 2, UserPercent: 30, SystemPercent: 15, IowaitPercent: 5}); !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, ok := cpuUsage(at(0, 0, 0, 9400, 50, 0, 0, 0), at(10, 0, 0, 9490, 49, 0, 0, 0)); !ok || got.UsagePercent != 10 || got.IowaitPercent != 0 {
		t.Errorf("iowait that was set back a little: %+v", got)
	}
	for name, pair := range map[string][2][]cpu.TimesStat{
		"set back":     {after, before},
		"no time":      {after, after},
		"a CPU more":   {before[:1], after},
		"a CPU fewer":  {before, after[:1]},
		"nothing seen": {nil, after},
	} {
		if got, ok := cpuUsage(pair[0], pair[1]); ok {
			t.Errorf("%s: %+v, want no usage", name, got)
		}
	}
}

// Over a second and more, from a /proc/stat of its own.
func TestCPU(t *testing.T) {
	stat := func(user, idle int) string {
		return fmt.Sprintf("cpu  %d 0 0 %d 0 0 0 0 0 0\ncpu0 %d 0 0 %d 0 0 0 0 0 0\nintr 1\nbtime 1\n", user, idle, user, idle)
	}
	proc := fakeProc(t, map[string]string{"stat": stat(100, 100)})
	p, err := plugins{proc: proc}.open(service{plugin: "cpu", interval: time.Minute})
	if err != nil || !p.compares {
		t.Fatal(p, err)
	}
	begin := time.Unix(1e9, 0)
	for _, step := range []struct {
		after time.Duration
		stat  string
		want  any
	}{
		{0, stat(100, 100), nil},
		{900 * time.Millisecond, stat(150, 120), nil}, // too short: the next one counts from the beginning
		{10 * time.Second, stat(350, 850), cpuData{25, 1, 25, 0, 0}},
		{20 * time.Second, stat(350, 1850), cpuData{0, 1, 0, 0, 0}},
		{30 * time.Second, stat(5, 5), nil}, // set back
		{40 * time.Second, stat(1005, 5), cpuData{100, 1, 100, 0, 0}},
	} {
		if err := os.WriteFile(filepath.Join(proc, "stat"), []byte(step.stat), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := p.collect(t.Context(), begin.Add(step.after)); err != nil || !reflect.DeepEqual(got, step.want) {
			t.Errorf("after %s: %+v, %v; want %+v", step.after, got, err, step.want)
		}
	}
}
