package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/net"
)

func TestNetwork(t *testing.T) {
	counters := func(name string, rx, tx, rxErr, txErr uint64) net.IOCountersStat {
		return net.IOCountersStat{Name: name, BytesRecv: rx, BytesSent: tx, Errin: rxErr, Errout: txErr}
	}
	before := []net.IOCountersStat{counters("lo", 0, 0, 0, 0), counters("eth0", 1000, 2000, 5, 0), counters("wrap", 1<<32-10, 0, 0, 0), counters("gone", 1, 1, 1, 1)}
	after := []net.IOCountersStat{counters("lo", 9, 9, 9, 9), counters("eth0", 4000, 2025, 25, 4), counters("wrap", 10, 5, 0, 0), counters("new", 7, 7, 7, 7)}
	got := networkSpeed(before, after, 10*time.Second)
	if want := map[string]networkRates{"eth0": {300, 3, 2, 0}}; !reflect.DeepEqual(got, want) { // 2.5 is rounded up, 0.4 down
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What is sent over a real interface, or what a made-up one says it sent.
func TestNetworkOverTime(t *testing.T) {
	dev := func(rx, tx int) string {
		return "Inter-|   Receive  |  Transmit\n face |bytes packets errs\n" +
			"    lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n" +
			fmt.Sprintf("  eth0: %d 1 2 0 0 0 0 0 %d 1 0 0 0 0 0 0\n", rx, tx)
	}
	proc := fakeProc(t, map[string]string{"net/dev": dev(0, 0)})
	p, err := plugins{proc: proc}.open(service{plugin: "network", interval: time.Minute})
	if err != nil || !p.compares {
		t.Fatal(p, err)
	}
	begin := time.Unix(1e9, 0)
	for _, step := range []struct {
		after  time.Duration
		rx, tx int
		want   any
	}{
		{0, 1000, 1000, nil},
		{time.Second / 2, 1500, 1500, nil},
		{10 * time.Second, 11000, 1000, networkData{map[string]networkRates{"eth0": {RxBytes: 1000}}}},
		{70 * time.Second, 11000, 61000, networkData{map[string]networkRates{"eth0": {TxBytes: 1000}}}},
		{80 * time.Second, 5, 5, networkData{map[string]networkRates{}}}, // set back
		{90 * time.Second, 105, 5, networkData{map[string]networkRates{"eth0": {RxBytes: 10}}}},
	} {
		if err := os.WriteFile(filepath.Join(proc, "net/dev"), []byte(dev(step.rx, step.tx)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := p.collect(t.Context(), begin.Add(step.after)); err != nil || !reflect.DeepEqual(got, step.want) {
			t.Errorf("after %s: %+v, %v; want %+v", step.after, got, err, step.want)
		}
	}
}
