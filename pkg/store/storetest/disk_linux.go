package storetest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Disk is a small disk in memory.
type Disk struct {
	Path string

	t      testing.TB
	filler string
}

// NewDisk mounts a disk of so many bytes. It skips the test if this user may not.
func NewDisk(t testing.TB, size int) *Disk {
	t.Helper()
	d := &Disk{Path: t.TempDir(), t: t}
	d.filler = filepath.Join(d.Path, "filler")
	if err := syscall.Mount("none", d.Path, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		t.Skipf("this test mounts a small disk, as root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Fill writes a file until no byte is left.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.Create(d.filler)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			d.t.Fatalf("fill: got %v, want no space left", err)
		}
	}
}

// Clear removes the file of Fill.
func (d *Disk) Clear() {
	d.t.Helper()
	if err := os.Remove(d.filler); err != nil {
		d.t.Fatal(err)
	}
}
