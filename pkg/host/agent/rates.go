package agent

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/net"
)

// minRateWindow is the shortest time over which a rate is computed: over a shorter
// one the resolution of the kernel's counters distorts it.
const minRateWindow = time.Second

// cpuData is the usage of all CPUs since the last collection. User includes nice,
// system includes interrupts. Idle and iowait are no usage; time stolen by the
// hypervisor is.
type cpuData struct {
	UsagePercent  float64 `json:"usage_percent"`
	Cores         int     `json:"cores"`
	UserPercent   float64 `json:"user_percent"`
	SystemPercent float64 `json:"system_percent"`
	IowaitPercent float64 `json:"iowait_percent"`
}

// cpuPlugin keeps the counters of the last collection.
type cpuPlugin struct {
	times []cpu.TimesStat
	at    time.Time
}

func (p *cpuPlugin) collect(ctx context.Context, now time.Time) (any, error) {
	if p.times != nil && now.Sub(p.at) < minRateWindow {
		return nil, nil
	}
	times, err := cpu.TimesWithContext(ctx, true)
	if err == nil && len(times) == 0 {
		err = errors.New("it lists no CPU")
	}
	if err != nil {
		return nil, readError("/proc/stat", err)
	}
	before := p.times
	p.times, p.at = times, now
	if data, ok := cpuUsage(before, times); ok {
		return data, nil
	}
	return nil, nil
}

// cpuUsage computes the usage from the counters of each CPU. It reports false when
// the number of CPUs changed or the counters were reset.
func cpuUsage(before, after []cpu.TimesStat) (cpuData, bool) {
	if len(before) != len(after) {
		return cpuData{}, false
	}
	b, a := sum(before), sum(after)
	user, system := a.User+a.Nice-b.User-b.Nice, a.System+a.Irq+a.Softirq-b.System-b.Irq-b.Softirq
	if user < 0 || system < 0 {
		return cpuData{}, false
	}
	// Idle and iowait may decrease a little (proc_stat(5)).
	idle, iowait, steal := max(0, a.Idle-b.Idle), max(0, a.Iowait-b.Iowait), max(0, a.Steal-b.Steal)
	all := user + system + idle + iowait + steal
	if all == 0 {
		return cpuData{}, false
	}
	return cpuData{
		UsagePercent: percent(all-idle-iowait, all), Cores: len(after), UserPercent: percent(user, all),
		SystemPercent: percent(system, all), IowaitPercent: percent(iowait, all),
	}, true
}

// sum adds the counters of all CPUs. Guest time is part of user and nice.
func sum(times []cpu.TimesStat) (s cpu.TimesStat) {
	for _, t := range times {
		s.User += t.User
		s.Nice += t.Nice
		s.System += t.System
		s.Irq += t.Irq
		s.Softirq += t.Softirq
		s.Idle += t.Idle
		s.Iowait += t.Iowait
		s.Steal += t.Steal
	}
	return s
}

// networkData has the rates of each interface except the loopback.
type networkData struct {
	Interfaces map[string]networkRates `json:"interfaces"`
}

// networkRates are averages since the last collection.
type networkRates struct {
	RxBytes  uint64 `json:"rx_bytes_per_second"`
	TxBytes  uint64 `json:"tx_bytes_per_second"`
	RxErrors uint64 `json:"rx_errors_per_second"`
	TxErrors uint64 `json:"tx_errors_per_second"`
}

// networkPlugin keeps the counters of the last collection.
type networkPlugin struct {
	counters []net.IOCountersStat
	at       time.Time
}

func (p *networkPlugin) collect(ctx context.Context, now time.Time) (any, error) {
	if p.counters != nil && now.Sub(p.at) < minRateWindow {
		return nil, nil
	}
	counters, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, readError("/proc/net/dev", err)
	}
	before, elapsed := p.counters, now.Sub(p.at)
	p.counters, p.at = counters, now
	if before == nil {
		return nil, nil
	}
	return networkData{interfaceRates(before, counters, elapsed)}, nil
}

// interfaceRates computes the rates from the counters of each interface. An
// interface that is new is left out, and so is one whose counters were reset (it
// was recreated, or they are 32 bits wide and overflowed).
func interfaceRates(before, after []net.IOCountersStat, elapsed time.Duration) map[string]networkRates {
	known := make(map[string]net.IOCountersStat, len(before))
	for _, b := range before {
		known[b.Name] = b
	}
	rates := make(map[string]networkRates, len(after))
	for _, a := range after {
		b, ok := known[a.Name]
		reset := a.BytesRecv < b.BytesRecv || a.BytesSent < b.BytesSent || a.Errin < b.Errin || a.Errout < b.Errout
		if !ok || reset || a.Name == "lo" {
			continue
		}
		perSecond := func(n uint64) uint64 { return uint64(math.Round(float64(n) / elapsed.Seconds())) }
		rates[a.Name] = networkRates{perSecond(a.BytesRecv - b.BytesRecv), perSecond(a.BytesSent - b.BytesSent), perSecond(a.Errin - b.Errin), perSecond(a.Errout - b.Errout)}
	}
	return rates
}
