package agent

import (
	"context"
	"math"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	gopsload "github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// memoryData is in bytes. Used is what is not available to programs, as free(1)
// tells it.
type memoryData struct {
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
		return nil, reading("/proc/meminfo", err)
	}
	swapUsed := m.SwapTotal - min(m.SwapFree, m.SwapTotal)
	return memoryData{
		Total: m.Total, Used: m.Used, Available: m.Available, UsedPercent: percent(float64(m.Used), float64(m.Total)),
		SwapTotal: m.SwapTotal, SwapUsed: swapUsed, SwapUsedPercent: percent(float64(swapUsed), float64(m.SwapTotal)),
	}, nil
}

// loadData is the kernel's load average: processes that run or wait for a disk.
type loadData struct {
	Load1        float64 `json:"load1"`
	Load5        float64 `json:"load5"`
	Load15       float64 `json:"load15"`
	Load1PerCore float64 `json:"load1_per_core"`
}

func load(ctx context.Context, _ time.Time) (any, error) {
	l, err := gopsload.AvgWithContext(ctx)
	if err != nil {
		return nil, reading("/proc/loadavg", err)
	}
	// Not cpu.Counts: reading /proc/cpuinfo wakes every CPU on older kernels.
	cores, err := cpu.TimesWithContext(ctx, true)
	if err != nil {
		return nil, reading("/proc/stat", err)
	}
	return loadData{l.Load1, l.Load5, l.Load15, math.Round(l.Load1/float64(max(1, len(cores)))*100) / 100}, nil
}

// uptimeData is how long the machine has been up, and since when in seconds of
// Unix time.
type uptimeData struct {
	Seconds  uint64 `json:"seconds"`
	BootTime uint64 `json:"boot_time"`
}

func uptime(ctx context.Context, _ time.Time) (any, error) {
	seconds, err := host.UptimeWithContext(ctx)
	if err != nil {
		return nil, reading("the uptime", err)
	}
	boot, err := host.BootTimeWithContext(ctx)
	if err != nil {
		return nil, reading("the boot time", err)
	}
	return uptimeData{seconds, boot}, nil
}
