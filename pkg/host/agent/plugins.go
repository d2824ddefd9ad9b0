package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/shirou/gopsutil/v4/cpu"
	gopsdisk "github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	gopsload "github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// plugins opens the plugins of a machine.
type plugins struct {
	proc string // the path of /proc
	// cgroup has the limits of a container.
	cgroup cgroup
	dir    string // of executables, "" for none
}

// open returns the plugin that collects s: a built-in one, or an executable.
func (p plugins) open(s service) (plugin, error) {
	switch s.plugin {
	case "cpu":
		return plugin{collect: (&containerCPU{cgroup: p.cgroup, machine: p.withProc(new(cpuPlugin).collect)}).collect, needsBaseline: true}, nil
	case "network":
		return plugin{collect: p.withProc(new(networkPlugin).collect), needsBaseline: true}, nil
	case "memory":
		return plugin{collect: p.cgroup.withContainer(p.withProc(memory))}, nil
	case "disk":
		return plugin{collect: p.withProc(disk)}, nil
	case "load":
		return plugin{collect: p.withProc(load)}, nil
	case "uptime":
		return plugin{collect: p.withProc(uptime)}, nil
	case "processes":
		return plugin{collect: p.processes}, nil
	case "tcp":
		return plugin{collect: p.tcp}, nil
	default:
		return p.executable(s)
	}
}

type collect = func(ctx context.Context, now time.Time) (any, error)

// withProc passes the path of /proc to gopsutil.
func (p plugins) withProc(c collect) collect {
	env := common.EnvMap{common.HostProcEnvKey: p.proc}
	return func(ctx context.Context, now time.Time) (any, error) {
		return c(context.WithValue(ctx, common.EnvKey, env), now)
	}
}

// percent returns part as a percentage of whole, to one decimal; 0 of nothing.
func percent(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return roundTenth(part / whole * 100)
}

func roundTenth(v float64) float64 { return math.Round(v*10) / 10 }

// readError wraps the error of reading a file or another source.
func readError(source string, err error) error { return fmt.Errorf("read %s: %w", source, err) }

// memoryData is in bytes. Used memory is the memory that is not available to
// programs, as in free(1).
type memoryData struct {
	Scope           string  `json:"scope,omitempty"` // "cgroup" is a container's memory, except swap
	Total           uint64  `json:"total_bytes"`
	Used            uint64  `json:"used_bytes"`
	Available       uint64  `json:"available_bytes"`
	UsedPercent     float64 `json:"used_percent"`
	SwapTotal       uint64  `json:"swap_total_bytes"`
	SwapUsed        uint64  `json:"swap_used_bytes"`
	SwapUsedPercent float64 `json:"swap_used_percent"`
}

func memory(ctx context.Context, _ time.Time) (any, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, readError("/proc/meminfo", err)
	}
	swapUsed := m.SwapTotal - min(m.SwapFree, m.SwapTotal)
	return memoryData{
		Total: m.Total, Used: m.Used, Available: m.Available, UsedPercent: percent(float64(m.Used), float64(m.Total)),
		SwapTotal: m.SwapTotal, SwapUsed: swapUsed, SwapUsedPercent: percent(float64(swapUsed), float64(m.SwapTotal)),
	}, nil
}

// loadData has the kernel's load averages: processes that run or wait for a disk.
type loadData struct {
	Load1        float64 `json:"load1"`
	Load5        float64 `json:"load5"`
	Load15       float64 `json:"load15"`
	Load1PerCore float64 `json:"load1_per_core"`
}

func load(ctx context.Context, _ time.Time) (any, error) {
	l, err := gopsload.AvgWithContext(ctx)
	if err != nil {
		return nil, readError("/proc/loadavg", err)
	}
	// Not cpu.Counts: reading /proc/cpuinfo wakes every CPU on older kernels.
	cores, err := cpu.TimesWithContext(ctx, true)
	if err != nil {
		return nil, readError("/proc/stat", err)
	}
	return loadData{l.Load1, l.Load5, l.Load15, math.Round(l.Load1/float64(max(1, len(cores)))*100) / 100}, nil
}

// uptimeData has the seconds since the boot, and the time of the boot in seconds
// of Unix time.
type uptimeData struct {
	Seconds  uint64 `json:"seconds"`
	BootTime uint64 `json:"boot_time"`
}

func uptime(ctx context.Context, _ time.Time) (any, error) {
	seconds, err := host.UptimeWithContext(ctx)
	if err != nil {
		return nil, readError("the uptime", err)
	}
	boot, err := host.BootTimeWithContext(ctx)
	if err != nil {
		return nil, readError("the boot time", err)
	}
	return uptimeData{seconds, boot}, nil
}

// diskData has the file systems on disks by mount point.
type diskData struct {
	Mounts map[string]mountData `json:"mounts"`
}

// mountData is in bytes. UsedPercent is df's: of the space that an ordinary user
// can fill.
type mountData struct {
	Total             uint64  `json:"total_bytes"`
	Used              uint64  `json:"used_bytes"`
	UsedPercent       float64 `json:"used_percent"`
	InodesUsedPercent float64 `json:"inodes_used_percent"`
}

// imageTypes are the file systems of read-only images, which are always full.
var imageTypes = []string{"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"}

// disk leaves out file systems that are not on a disk (tmpfs, overlay, network
// file systems, whose server might hang), bind mounts, all but the first mount of
// a device, and mounts that the agent's user cannot access.
func disk(ctx context.Context, _ time.Time) (any, error) {
	partitions, err := gopsdisk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, readError("the mounts", err)
	}
	data, seen := diskData{map[string]mountData{}}, map[string]bool{}
	var failed error
	for _, p := range partitions {
		if seen[p.Device] || slices.Contains(imageTypes, p.Fstype) {
			continue
		}
		u, err := gopsdisk.UsageWithContext(ctx, p.Mountpoint)
		if err != nil {
			failed = errors.Join(failed, readError(p.Mountpoint, err))
			continue
		}
		seen[p.Device] = true
		data.Mounts[p.Mountpoint] = mountData{u.Total, u.Used, roundTenth(u.UsedPercent), roundTenth(u.InodesUsedPercent)}
	}
	if len(data.Mounts) == 0 && failed != nil {
		return nil, failed
	}
	return data, nil
}
