package agent

import (
	"context"
	"testing"
	"time"
)

// The container uses 300 of 400 MiB, of which 100 MiB are droppable cache, and between
// two collections, 10 s apart, 1 s of a share of half a CPU: 5 s.
func TestContainerLimits(t *testing.T) {
	for name, tt := range map[string]struct{ before, after map[string]string }{
		"version 2": {map[string]string{
			"memory.max": "419430400\n", "memory.current": "314572800\n", "memory.stat": "anon 1\ninactive_file 104857600\n",
			"cpu.max": "50000 100000\n", "cpu.stat": "usage_usec 7000000\nuser_usec 5000000\nsystem_usec 2000000\n",
		}, map[string]string{"cpu.max": "50000 100000\n", "cpu.stat": "usage_usec 8000000\nuser_usec 5600000\nsystem_usec 2400000\n"}},
		"version 1": {map[string]string{
			"memory/memory.limit_in_bytes": "419430400\n", "memory/memory.usage_in_bytes": "314572800\n", "memory/memory.stat": "total_inactive_file 104857600\n",
			"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n", "cpuacct/cpuacct.usage": "7000000000\n", "cpuacct/cpuacct.stat": "user 500\nsystem 200\n",
		}, map[string]string{
			"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n", "cpuacct/cpuacct.usage": "8000000000\n", "cpuacct/cpuacct.stat": "user 560\nsystem 240\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cgroup{newFakeProc(t, tt.before)}
			machine := func(context.Context, time.Time) (any, error) {
				return memoryData{Total: 1 << 30, Used: 1, SwapTotal: 5}, nil
			}
			got, err := c.withContainer(machine)(t.Context(), time.Now())
			if want := (memoryData{"cgroup", 400 << 20, 200 << 20, 200 << 20, 50, 5, 0, 0}); err != nil || got != want {
				t.Errorf("memory: got %+v and %v, want %+v", got, err, want)
			}
			p, now := &containerCPU{cgroup: c}, time.Now()
			if got, err := p.collect(t.Context(), now); got != nil || err != nil {
				t.Errorf("first: got %v and %v, want nothing", got, err)
			}
			p.cgroup.root = newFakeProc(t, tt.after)
			got, err = p.collect(t.Context(), now.Add(10*time.Second))
			if want := (cgroupCPUData{"cgroup", 20, 0.5, 12, 8}); err != nil || got != want {
				t.Errorf("CPU: got %+v and %v, want %+v", got, err, want)
			}
			if got, want := c.description(1<<30), "0.5 CPUs, 400 MiB of memory"; got != want {
				t.Errorf("description: got %q, want %q", got, want)
			}
		})
	}
}

// Without a limit below the machine's the machine is reported.
func TestContainerWithoutLimits(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a machine":               {},
		"version 2":               {"memory.max": "max\n", "cpu.max": "max 100000\n"},
		"version 1":               {"memory/memory.limit_in_bytes": "9223372036854771712\n", "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
		"more than the machine's": {"memory.max": "2147483648\n", "cpu.max": "99999900000 100000\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := cgroup{newFakeProc(t, files)}
			machine := func(context.Context, time.Time) (any, error) { return memoryData{Total: 1 << 30}, nil }
			if got, err := c.withContainer(machine)(t.Context(), time.Now()); err != nil || got != (memoryData{Total: 1 << 30}) {
				t.Errorf("memory: got %+v and %v, want the machine's", got, err)
			}
			if got := c.description(1 << 30); got != "" {
				t.Errorf("description: got %q, want none", got)
			}
		})
	}
}

func TestMemoryOfAContainer(t *testing.T) {
	proc := newFakeProc(t, map[string]string{"meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n"})
	c := cgroup{newFakeProc(t, map[string]string{"memory.max": "512000\n", "memory.current": "128000\n", "memory.stat": ""})}
	p, err := plugins{proc: proc, cgroup: c}.open(service{name: "S", plugin: "memory", interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.collect(t.Context(), time.Now())
	if want := (memoryData{"cgroup", 512000, 128000, 384000, 25, 0, 0, 0}); err != nil || got != want {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
}
