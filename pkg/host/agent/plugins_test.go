package agent

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// collectBuiltin collects once with a built-in plugin.
func collectBuiltin(t *testing.T, name, proc string) any {
	t.Helper()
	p, err := plugins{proc: proc}.open(service{name: "S", plugin: name, interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.collect(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// newFakeProc returns a directory with the given files, in place of /proc.
func newFakeProc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func wantNear(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %v, want %v ± %v", what, got, want, tolerance)
	}
}

// The names in the reports are part of the API.
func TestDataFormat(t *testing.T) {
	for _, tt := range []struct {
		data any
		want string
	}{
		{cpuData{1.5, 2, 3, 4, 5}, `{"usage_percent":1.5,"cores":2,"user_percent":3,"system_percent":4,"iowait_percent":5}`},
		{memoryData{"", 1, 2, 3, 4.5, 5, 6, 7.5}, `{"total_bytes":1,"used_bytes":2,"available_bytes":3,"used_percent":4.5,"swap_total_bytes":5,"swap_used_bytes":6,"swap_used_percent":7.5}`},
		{diskData{map[string]mountData{"/": {1, 2, 3.5, 4.5}}}, `{"mounts":{"/":{"total_bytes":1,"used_bytes":2,"used_percent":3.5,"inodes_used_percent":4.5}}}`},
		{networkData{map[string]networkRates{"eth0": {1, 2, 3, 4}}}, `{"interfaces":{"eth0":{"rx_bytes_per_second":1,"tx_bytes_per_second":2,"rx_errors_per_second":3,"tx_errors_per_second":4}}}`},
		{loadData{1.25, 2, 3, 0.63}, `{"load1":1.25,"load5":2,"load15":3,"load1_per_core":0.63}`},
		{uptimeData{1, 2}, `{"seconds":1,"boot_time":2}`},
		{processesData{1, 2, 3}, `{"total":1,"running":2,"zombies":3}`},
		{tcpData{1, 2, 3, 4, 5}, `{"established":1,"time_wait":2,"close_wait":3,"listen":4,"total":5}`},
	} {
		t.Run(fmt.Sprintf("%T", tt.data), func(t *testing.T) {
			if got, err := json.Marshal(tt.data); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// Without its files in /proc a plugin returns an error rather than zeros.
func TestPluginsWithoutProc(t *testing.T) {
	proc := t.TempDir()
	for _, name := range []string{"cpu", "memory", "disk", "network", "load", "tcp"} {
		t.Run(name, func(t *testing.T) {
			p, err := plugins{proc: proc}.open(service{plugin: name, interval: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if data, err := p.collect(t.Context(), time.Now()); err == nil && name != "load" {
				t.Errorf("got %+v, want an error", data)
			}
		})
	}
	if data := collectBuiltin(t, "processes", proc); data != (processesData{}) {
		t.Errorf("processes: got %+v, want none", data)
	}
}

// A machine with 1000 KiB, 250 of them available, and 400 KiB of swap, half of it
// used.
func TestMemory(t *testing.T) {
	got := collectBuiltin(t, "memory", newFakeProc(t, map[string]string{"meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\nBuffers: 10 kB\nCached: 200 kB\nSwapTotal: 400 kB\nSwapFree: 200 kB\n"}))
	if want := (memoryData{"", 1024000, 768000, 256000, 75, 409600, 204800, 50}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMemoryOfThisMachine(t *testing.T) {
	want := readMeminfo(t)
	got := collectBuiltin(t, "memory", "/proc").(memoryData)
	if got.Total != want["MemTotal"] || got.SwapTotal != want["SwapTotal"] || got.Used != got.Total-got.Available {
		t.Errorf("got %+v, want the totals of %v, and used and available memory to add up", got, want)
	}
	wantNear(t, "available", float64(got.Available), float64(want["MemAvailable"]), float64(got.Total)/10)
	wantNear(t, "used percent", got.UsedPercent, float64(got.Used)*100/float64(got.Total), 0.05)
}

// readMeminfo reads /proc/meminfo, in bytes.
func readMeminfo(t *testing.T) map[string]uint64 {
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

func TestLoad(t *testing.T) {
	proc := newFakeProc(t, map[string]string{"loadavg": "1.25 0.50 0.10 3/200 999\n", "stat": "cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\ncpu2 1 1 1 1 1 1 1 1 1 1\nintr 5\n"})
	if got, want := collectBuiltin(t, "load", proc), (loadData{1.25, 0.5, 0.1, 0.42}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got := collectBuiltin(t, "load", "/proc").(loadData)
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	var want loadData
	fmt.Sscan(string(text), &want.Load1, &want.Load5, &want.Load15)
	wantNear(t, "load15 of this machine", got.Load15, want.Load15, 0.5)
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
	got := collectBuiltin(t, "uptime", "/proc").(uptimeData)
	wantNear(t, "uptime", float64(got.Seconds), want, 3)
	wantNear(t, "boot time", float64(got.BootTime), float64(time.Now().Unix())-want, 5)
}

// The independent implementation of df has the same figures.
func TestDiskOfThisMachine(t *testing.T) {
	got := collectBuiltin(t, "disk", "/proc").(diskData)
	for mount, d := range got.Mounts {
		out, err := exec.Command("df", "--output=size,used,pcent,ipcent,fstype", "-B1", mount).Output()
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(strings.Split(string(out), "\n")[1])
		number := func(s string) float64 { v, _ := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64); return v }
		if float64(d.Total) != number(f[0]) || slices.Contains([]string{"tmpfs", "overlay", "squashfs", "proc", "devtmpfs"}, f[4]) {
			t.Errorf("%s: got %+v, want df's %v and a file system on a disk", mount, d, f)
		}
		wantNear(t, mount+" used", float64(d.Used), number(f[1]), 1<<30)
		wantNear(t, mount+" used percent", d.UsedPercent, number(f[2]), 2) // df rounds up
		wantNear(t, mount+" inodes", d.InodesUsedPercent, number(f[3]), 2)
	}
}

// File systems on disks are reported once, all other mounts are not.
func TestDisk(t *testing.T) {
	root := t.TempDir()
	mountinfo := `22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:5 / /dev rw - devtmpfs udev rw
25 22 0:22 / /run rw - tmpfs tmpfs rw
26 22 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
27 22 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro
28 22 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
29 22 254:1 /srv /mnt/bind rw - ext4 /dev/vda1 rw
30 22 0:60 / /mnt/nfs rw - nfs4 10.0.0.9:/x rw
31 22 254:1 / /mnt/again rw - ext4 /dev/vda1 rw
32 22 254:2 / ` + strings.ReplaceAll(root, " ", `\040`) + ` rw - xfs /dev/vdb rw
33 22 254:3 / /nowhere/at/all rw - ext4 /dev/vdc rw
`
	proc := newFakeProc(t, map[string]string{
		"1/mountinfo": mountinfo,
		"filesystems": "nodev\tproc\nnodev\tdevtmpfs\nnodev\ttmpfs\nnodev\toverlay\nnodev\tnfs4\n\text4\n\txfs\n\tsquashfs\n\tiso9660\n",
	})
	got := collectBuiltin(t, "disk", proc).(diskData)
	if len(got.Mounts) != 2 || got.Mounts["/"].Total == 0 || got.Mounts[root].Total == 0 {
		t.Errorf("got %+v, want / and %s", got, root)
	}
}
