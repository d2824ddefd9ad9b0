package agent

import (
	"testing"
	"time"
)

// BenchmarkPlugin measures one collection on this machine.
func BenchmarkPlugin(b *testing.B) {
	for _, name := range []string{"cpu", "memory", "disk", "network", "load", "uptime", "processes", "tcp"} {
		b.Run(name, func(b *testing.B) {
			p, err := plugins{proc: "/proc"}.open(service{plugin: name, interval: time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			now := time.Now()
			for b.Loop() {
				now = now.Add(time.Minute)
				if _, err := p.collect(b.Context(), now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuffer measures adding a report and removing it.
func BenchmarkBuffer(b *testing.B) {
	buf, _ := newTestBuffer(b, b.TempDir(), 64<<20)
	record := make([]byte, 300)
	for i := range record {
		record[i] = 'x'
	}
	for b.Loop() {
		if err := buf.append(record); err != nil {
			b.Fatal(err)
		}
		_, pos, ok := buf.first()
		if !ok {
			b.Fatal("got no report, want the one that was added")
		}
		buf.remove(pos)
	}
}
