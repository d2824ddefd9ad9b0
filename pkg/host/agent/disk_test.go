package agent

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// df, an implementation of its own, sees the same.
func TestDiskOfThisMachine(t *testing.T) {
	got := gather(t, "disk", "/proc").(diskData)
	for mount, d := range got.Mounts {
		out, err := exec.Command("df", "--output=size,used,pcent,ipcent,fstype", "-B1", mount).Output()
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(strings.Split(string(out), "\n")[1])
		number := func(s string) float64 { v, _ := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64); return v }
		if float64(d.Total) != number(f[0]) || slices.Contains([]string{"tmpfs", "overlay", "squashfs", "proc", "devtmpfs"}, f[4]) {
			t.Errorf("%s: %+v, df says %v", mount, d, f)
		}
		near(t, mount+" used", float64(d.Used), number(f[1]), 1<<30)
		near(t, mount+" used percent", d.UsedPercent, number(f[2]), 2) // df rounds up
		near(t, mount+" inodes", d.InodesUsedPercent, number(f[3]), 2)
	}
}

// Of all that is mounted only what is on a disk counts, once.
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
	proc := fakeProc(t, map[string]string{
		"1/mountinfo": mountinfo,
		"filesystems": "nodev\tproc\nnodev\tdevtmpfs\nnodev\ttmpfs\nnodev\toverlay\nnodev\tnfs4\n\text4\n\txfs\n\tsquashfs\n\tiso9660\n",
	})
	got := gather(t, "disk", proc).(diskData)
	if len(got.Mounts) != 2 || got.Mounts["/"].Total == 0 || got.Mounts[root].Total == 0 {
		t.Errorf("%+v, want / and %s", got, root)
	}
}
