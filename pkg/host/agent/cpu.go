package agent

import (
	"context"
	"errors"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// shortest is the shortest time over which a rate is worked out: ticks of the
// kernel's clock would make it wrong over a shorter one.
const shortest = time.Second

// cpuData is what CPUs did since the collection before. User contains nice,
// system contains interrupts; with iowait, what is missing to 100 was idle or
// taken by the hypervisor, and the latter counts as usage.
type cpuData struct {
	UsagePercent  float64 `json:"usage_percent"`
	Cores         int     `json:"cores"`
	UserPercent   float64 `json:"user_percent"`
	SystemPercent float64 `json:"system_percent"`
	IowaitPercent float64 `json:"iowait_percent"`
}

// cpuPlugin remembers where the counters stood.
type cpuPlugin struct {
	times []cpu.TimesStat
	at    time.Time
}

func (p *cpuPlugin) collect(ctx context.Context, now time.Time) (any, error) {
	if p.times != nil && now.Sub(p.at) < shortest {
		return nil, nil
	}
	times, err := cpu.TimesWithContext(ctx, true)
	if err == nil && len(times) == 0 {
		err = errors.New("there is no CPU in it")
	}
	if err != nil {
		return nil, reading("/proc/stat", err)
	}
	before := p.times
	p.times, p.at = times, now
	if data, ok := cpuUsage(before, times); ok {
		return data, nil
	}
	return nil, nil
}

// cpuUsage compares two states of the counters, of each CPU. They do not compare
// when CPUs came or went, or when the counters were set back.
func cpuUsage(before, after []cpu.TimesStat) (cpuData, bool) {
	if len(before) != len(after) {
		return cpuData{}, false
	}
	b, a := sum(before), sum(after)
	user, system := a.User+a.Nice-b.User-b.Nice, a.System+a.Irq+a.Softirq-b.System-b.Irq-b.Softirq
	if user < 0 || system < 0 {
		return cpuData{}, false
	}
	// The kernel may set idle and iowait back a little (proc_stat(5)).
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

// sum adds up what CPUs did. Guests' time is part of user and nice.
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
