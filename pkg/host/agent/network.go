package agent

import (
	"context"
	"math"
	"time"

	"github.com/shirou/gopsutil/v4/net"
)

// networkData has a rate for each interface but the loopback.
type networkData struct {
	Interfaces map[string]networkRates `json:"interfaces"`
}

// networkRates are averages since the collection before.
type networkRates struct {
	RxBytes  uint64 `json:"rx_bytes_per_second"`
	TxBytes  uint64 `json:"tx_bytes_per_second"`
	RxErrors uint64 `json:"rx_errors_per_second"`
	TxErrors uint64 `json:"tx_errors_per_second"`
}

// networkPlugin remembers where the counters stood.
type networkPlugin struct {
	counters []net.IOCountersStat
	at       time.Time
}

func (p *networkPlugin) collect(ctx context.Context, now time.Time) (any, error) {
	if p.counters != nil && now.Sub(p.at) < shortest {
		return nil, nil
	}
	counters, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, reading("/proc/net/dev", err)
	}
	before, elapsed := p.counters, now.Sub(p.at)
	p.counters, p.at = counters, now
	if before == nil {
		return nil, nil
	}
	return networkData{networkSpeed(before, counters, elapsed)}, nil
}

// networkSpeed compares two states of the counters. An interface that is new, or
// whose counters were set back (it was made anew, or they are 32 bits wide and
// began again), is left out this once.
func networkSpeed(before, after []net.IOCountersStat, elapsed time.Duration) map[string]networkRates {
	known := make(map[string]net.IOCountersStat, len(before))
	for _, b := range before {
		known[b.Name] = b
	}
	rates := make(map[string]networkRates, len(after))
	for _, a := range after {
		b, ok := known[a.Name]
		back := a.BytesRecv < b.BytesRecv || a.BytesSent < b.BytesSent || a.Errin < b.Errin || a.Errout < b.Errout
		if !ok || back || a.Name == "lo" {
			continue
		}
		speed := func(n uint64) uint64 { return uint64(math.Round(float64(n) / elapsed.Seconds())) }
		rates[a.Name] = networkRates{speed(a.BytesRecv - b.BytesRecv), speed(a.BytesSent - b.BytesSent), speed(a.Errin - b.Errin), speed(a.Errout - b.Errout)}
	}
	return rates
}
