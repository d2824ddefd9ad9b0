package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/net"
)

// Of 1000 ticks 300 are user (100 of them nice), 150 system (30 of them
// interrupts), 400 idle, 50 iowait and 100 stolen.
func TestCPUUsage(t *testing.T) {
	at := func(user, nice, system, idle, iowait, irq, softirq, steal float64) []cpu.TimesStat {
		half := cpu.TimesStat{User: user / 2, Nice: nice / 2, System: system / 2, Idle: idle / 2, Iowait: iowait / 2, Irq: irq / 2, Softirq: softirq / 2, Steal: steal / 2, Guest: user / 4}
		return []cpu.TimesStat{half, half}
	}
	before, after := at(1000, 0, 500, 9000, 100, 10, 10, 0), at(1200, 100, 620, 9400, 150, 20, 30, 100)
	got, ok := cpuUsage(before, after)
	if want := (cpuData{UsagePercent: 55, Cores: 2, UserPercent: 30, SystemPercent: 15, IowaitPercent: 5}); !ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	if got, ok := cpuUsage(at(0, 0, 0, 9400, 50, 0, 0, 0), at(10, 0, 0, 9490, 49, 0, 0, 0)); !ok || got.UsagePercent != 10 || got.IowaitPercent != 0 {
		t.Errorf("iowait decreases: got %+v, %v, want 10 %% usage and no iowait", got, ok)
	}
	for name, pair := range map[string][2][]cpu.TimesStat{
		"counters are reset":   {after, before},
		"no time has passed":   {after, after},
		"a CPU is added":       {before[:1], after},
		"a CPU is removed":     {before, after[:1]},
		"there is no baseline": {nil, after},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := cpuUsage(pair[0], pair[1]); ok {
				t.Errorf("got %+v, want no usage", got)
			}
		})
	}
}

func TestInterfaceRates(t *testing.T) {
	counters := func(name string, rx, tx, rxErr, txErr uint64) net.IOCountersStat {
		return net.IOCountersStat{Name: name, BytesRecv: rx, BytesSent: tx, Errin: rxErr, Errout: txErr}
	}
	before := []net.IOCountersStat{counters("lo", 0, 0, 0, 0), counters("eth0", 1000, 2000, 5, 0), counters("wrap", 1<<32-10, 0, 0, 0), counters("gone", 1, 1, 1, 1)}
	after := []net.IOCountersStat{counters("lo", 9, 9, 9, 9), counters("eth0", 4000, 2025, 25, 4), counters("wrap", 10, 5, 0, 0), counters("new", 7, 7, 7, 7)}
	got := interfaceRates(before, after, 10*time.Second)
	if want := map[string]networkRates{"eth0": {300, 3, 2, 0}}; !reflect.DeepEqual(got, want) { // 2.5 is rounded up, 0.4 down
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// step is a collection at a time after the first one, from a /proc with the text in
// the plugin's file.
type step struct {
	name  string
	after time.Duration
	text  string
	want  any
}

// testSteps collects with a plugin whose file in /proc changes between the
// collections.
func testSteps(t *testing.T, name, file string, steps []step) {
	t.Helper()
	proc := newFakeProc(t, map[string]string{file: ""})
	p, err := plugins{proc: proc}.open(service{plugin: name, interval: time.Minute})
	if err != nil || !p.needsBaseline {
		t.Fatalf("got plugin %+v, %v, want one with a baseline", p, err)
	}
	begin := time.Unix(1e9, 0)
	for _, s := range steps {
		if err := os.WriteFile(filepath.Join(proc, file), []byte(s.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := p.collect(t.Context(), begin.Add(s.after)); err != nil || !reflect.DeepEqual(got, s.want) {
			t.Errorf("%s: got %+v, %v, want %+v", s.name, got, err, s.want)
		}
	}
}

func TestCPU(t *testing.T) {
	stat := func(user, idle int) string {
		return fmt.Sprintf("cpu  %d 0 0 %d 0 0 0 0 0 0\ncpu0 %d 0 0 %d 0 0 0 0 0 0\nintr 1\nbtime 1\n", user, idle, user, idle)
	}
	testSteps(t, "cpu", "stat", []step{
		{"baseline", 0, stat(100, 100), nil},
		{"too soon: the next one is relative to the baseline", 900 * time.Millisecond, stat(150, 120), nil},
		{"a quarter", 10 * time.Second, stat(350, 850), cpuData{25, 1, 25, 0, 0}},
		{"idle", 20 * time.Second, stat(350, 1850), cpuData{0, 1, 0, 0, 0}},
		{"counters are reset", 30 * time.Second, stat(5, 5), nil},
		{"busy", 40 * time.Second, stat(1005, 5), cpuData{100, 1, 100, 0, 0}},
	})
}

func TestNetwork(t *testing.T) {
	dev := func(rx, tx int) string {
		return "Inter-|   Receive  |  Transmit\n face |bytes packets errs\n" +
			"    lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n" +
			fmt.Sprintf("  eth0: %d 1 2 0 0 0 0 0 %d 1 0 0 0 0 0 0\n", rx, tx)
	}
	rates := func(rx, tx uint64) any {
		return networkData{map[string]networkRates{"eth0": {RxBytes: rx, TxBytes: tx}}}
	}
	testSteps(t, "network", "net/dev", []step{
		{"baseline", 0, dev(1000, 1000), nil},
		{"too soon", time.Second / 2, dev(1500, 1500), nil},
		{"receives", 10 * time.Second, dev(11000, 1000), rates(1000, 0)},
		{"sends", 70 * time.Second, dev(11000, 61000), rates(0, 1000)},
		{"counters are reset", 80 * time.Second, dev(5, 5), networkData{map[string]networkRates{}}},
		{"receives again", 90 * time.Second, dev(105, 5), rates(10, 0)},
	})
}
