package agent

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMemoryOfThisMachine(t *testing.T) {
	want := meminfo(t)
	got := gather(t, "memory", "/proc").(memoryData)
	if got.Total != want["MemTotal"] || got.SwapTotal != want["SwapTotal"] || got.Used != got.Total-got.Available {
		t.Errorf("%+v, want %v", got, want)
	}
	near(t, "available", float64(got.Available), float64(want["MemAvailable"]), float64(got.Total)/10)
	near(t, "used percent", got.UsedPercent, float64(got.Used)*100/float64(got.Total), 0.05)
}

// meminfo reads /proc/meminfo, in bytes.
func meminfo(t *testing.T) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		var name string
		var kib uint64
		if n, _ := fmt.Sscanf(line, "%s %d kB", &name, &kib); n == 2 {
			values[strings.TrimSuffix(name, ":")] = kib * 1024
		}
	}
	return values
}

// A machine with 1000 KiB, 250 of them available, and 400 KiB of swap, half of it
// used.
func TestMemory(t *testing.T) {
	got := gather(t, "memory", fakeProc(t, map[string]string{"meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\nBuffers: 10 kB\nCached: 200 kB\nSwapTotal: 400 kB\nSwapFree: 200 kB\n"}))
	if want := (memoryData{1024000, 768000, 256000, 75, 409600, 204800, 50}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLoad(t *testing.T) {
	proc := fakeProc(t, map[string]string{"loadavg": "1.25 0.50 0.10 3/200 999\n", "stat": "cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\ncpu2 1 1 1 1 1 1 1 1 1 1\nintr 5\n"})
	if got, want := gather(t, "load", proc), (loadData{1.25, 0.5, 0.1, 0.42}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got := gather(t, "load", "/proc").(loadData)
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	var want loadData
	fmt.Sscan(string(text), &want.Load1, &want.Load5, &want.Load15)
	near(t, "load15 of this machine", got.Load15, want.Load15, 0.5)
}

func TestUptimeOfThisMachine(t *testing.T) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	got := gather(t, "uptime", "/proc").(uptimeData)
	near(t, "uptime", float64(got.Seconds), want, 3)
	near(t, "boot time", float64(got.BootTime), float64(time.Now().Unix())-want, 5)
}
