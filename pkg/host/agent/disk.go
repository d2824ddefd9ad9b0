package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	gopsdisk "github.com/shirou/gopsutil/v4/disk"
)

// diskData has the file systems on disks by the place where they are mounted.
type diskData struct {
	Mounts map[string]mountData `json:"mounts"`
}

// mountData is in bytes. UsedPercent is df's: of what an ordinary user may fill.
type mountData struct {
	Total             uint64  `json:"total_bytes"`
	Used              uint64  `json:"used_bytes"`
	UsedPercent       float64 `json:"used_percent"`
	InodesUsedPercent float64 `json:"inodes_used_percent"`
}

// sealed are file systems that are full by nature: images that nobody writes to.
var sealed = []string{"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"}

// disk leaves out what is on no disk (tmpfs, overlay, network file systems, whose
// server might hang), bind mounts, and all but the first mount of a device. A
// mount that the agent's user cannot reach is left out too.
func disk(ctx context.Context, _ time.Time) (any, error) {
	partitions, err := gopsdisk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, reading("the mounts", err)
	}
	data, seen := diskData{map[string]mountData{}}, map[string]bool{}
	var failed error
	for _, p := range partitions {
		if seen[p.Device] || slices.Contains(sealed, p.Fstype) {
			continue
		}
		u, err := gopsdisk.UsageWithContext(ctx, p.Mountpoint)
		if err != nil {
			failed = errors.Join(failed, reading(p.Mountpoint, err))
			continue
		}
		seen[p.Device] = true
		data.Mounts[p.Mountpoint] = mountData{u.Total, u.Used, tenth(u.UsedPercent), tenth(u.InodesUsedPercent)}
	}
	if len(data.Mounts) == 0 && failed != nil {
		return nil, failed
	}
	return data, nil
}
