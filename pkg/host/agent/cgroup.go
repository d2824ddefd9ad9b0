package agent

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// cgroupRoot is where the control groups are mounted. In a container its files are those
// of the container's own group; on a machine the root group has no limits.
const cgroupRoot = "/sys/fs/cgroup"

// cgroup reads the limits and the usage of the root of a hierarchy of control groups.
type cgroup struct{ root string }

// scopeCgroup marks data that are the container's, not the machine's.
const scopeCgroup = "cgroup"

// number returns the number in the first of the files that exists, 0 if none does or it
// is "max".
func (c cgroup) number(names ...string) uint64 {
	for _, name := range names {
		if text, err := os.ReadFile(filepath.Join(c.root, name)); err == nil {
			n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
			return n
		}
	}
	return 0
}

// fields returns the numbers of a file with a name and a number in each line.
func (c cgroup) fields(name string) (map[string]uint64, error) {
	text, err := os.ReadFile(filepath.Join(c.root, name))
	if err != nil {
		return nil, err
	}
	fields := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 {
			fields[f[0]], _ = strconv.ParseUint(f[1], 10, 64)
		}
	}
	return fields, nil
}

// memoryLimit returns the limit in bytes, 0 if there is none below the machine's memory.
func (c cgroup) memoryLimit(machine uint64) uint64 {
	limit := c.number("memory.max", "memory/memory.limit_in_bytes")
	if limit >= machine {
		return 0
	}
	return limit
}

// memory returns the container's memory for that of the machine. As docker stats and the
// kubelet do, it does not count files in the page cache that can be dropped.
func (c cgroup) memory(machine memoryData, limit uint64) (memoryData, error) {
	used, cached := c.number("memory.current", "memory/memory.usage_in_bytes"), "inactive_file"
	stat, err := c.fields("memory.stat")
	if err != nil {
		stat, err = c.fields("memory/memory.stat")
		cached = "total_inactive_file"
	}
	if err != nil {
		return memoryData{}, readError("the cgroup's memory", err)
	}
	used -= min(used, stat[cached])
	used = min(used, limit)
	m := machine
	m.Scope, m.Total, m.Used, m.Available = scopeCgroup, limit, used, limit-used
	m.UsedPercent = percent(float64(used), float64(limit))
	return m, nil
}

// cpuLimit returns the limit in CPUs, 0 if there is none below the machine's CPUs.
func (c cgroup) cpuLimit(machine int) float64 {
	var quota, period float64
	if text, err := os.ReadFile(filepath.Join(c.root, "cpu.max")); err == nil {
		_, _ = fmt.Sscan(string(text), &quota, &period) // "max 100000" is no limit
	} else {
		quota, period = float64(c.number("cpu/cpu.cfs_quota_us")), float64(c.number("cpu/cpu.cfs_period_us")) // a quota of -1 is no limit
	}
	if quota <= 0 || period <= 0 || quota/period >= float64(machine) {
		return 0
	}
	return quota / period
}

// cpuTimes are the times that the processes of a container have used CPUs.
type cpuTimes struct{ usage, user, system time.Duration }

func (c cgroup) cpuTimes() (cpuTimes, error) {
	if stat, err := c.fields("cpu.stat"); err == nil && stat["usage_usec"] > 0 {
		us := func(name string) time.Duration { return time.Duration(stat[name]) * time.Microsecond }
		return cpuTimes{us("usage_usec"), us("user_usec"), us("system_usec")}, nil
	}
	usage := time.Duration(c.number("cpuacct/cpuacct.usage"))
	stat, err := c.fields("cpuacct/cpuacct.stat")
	if err != nil {
		return cpuTimes{}, readError("the cgroup's CPU times", err)
	}
	const tick = time.Second / 100 // USER_HZ
	return cpuTimes{usage, time.Duration(stat["user"]) * tick, time.Duration(stat["system"]) * tick}, nil
}

// cgroupCPUData is the usage of a container's share of the CPUs since the last collection.
type cgroupCPUData struct {
	Scope         string  `json:"scope"`
	UsagePercent  float64 `json:"usage_percent"`
	Cores         float64 `json:"cores"` // the limit
	UserPercent   float64 `json:"user_percent"`
	SystemPercent float64 `json:"system_percent"`
}

// containerCPU collects the usage of the container if it has a limit, otherwise that of
// the machine.
type containerCPU struct {
	cgroup  cgroup
	machine collect
	times   cpuTimes
	at      time.Time
}

func (p *containerCPU) collect(ctx context.Context, now time.Time) (any, error) {
	limit := p.cgroup.cpuLimit(runtime.NumCPU())
	if limit == 0 {
		return p.machine(ctx, now)
	}
	if !p.at.IsZero() && now.Sub(p.at) < minRateWindow {
		return nil, nil
	}
	times, err := p.cgroup.cpuTimes()
	if err != nil {
		return nil, err
	}
	before, elapsed := p.times, now.Sub(p.at)
	first := p.at.IsZero()
	p.times, p.at = times, now
	if first || times.usage < before.usage {
		return nil, nil
	}
	share := func(after, before time.Duration) float64 {
		return percent(max(0, float64(after-before)), float64(elapsed)*limit)
	}
	return cgroupCPUData{
		Scope: scopeCgroup, UsagePercent: share(times.usage, before.usage), Cores: math.Round(limit*100) / 100,
		UserPercent: share(times.user, before.user), SystemPercent: share(times.system, before.system),
	}, nil
}

// withContainer returns a collection of memory that is the container's if it has a limit.
func (c cgroup) withContainer(machine collect) collect {
	return func(ctx context.Context, now time.Time) (any, error) {
		data, err := machine(ctx, now)
		m, ok := data.(memoryData)
		if err != nil || !ok {
			return data, err
		}
		limit := c.memoryLimit(m.Total)
		if limit == 0 {
			return m, nil
		}
		return c.memory(m, limit)
	}
}

// description returns the limits as text, "" if the machine's CPUs and memory are
// reported.
func (c cgroup) description(machineMemory uint64) string {
	var parts []string
	if limit := c.cpuLimit(runtime.NumCPU()); limit > 0 {
		parts = append(parts, fmt.Sprintf("%.2g CPUs", limit))
	}
	if limit := c.memoryLimit(machineMemory); limit > 0 {
		parts = append(parts, fmt.Sprintf("%d MiB of memory", limit>>20))
	}
	return strings.Join(parts, ", ")
}
