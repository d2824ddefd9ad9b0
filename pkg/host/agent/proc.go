package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/shirou/gopsutil/v4/process"
)

// processesData counts processes, not threads. If /proc is mounted with hidepid it
// counts only those of the agent's own user.
type processesData struct {
	Total   int `json:"total"`
	Running int `json:"running"`
	Zombies int `json:"zombies"`
}

// processes reads /proc/PID/stat: gopsutil's Status reads /proc/PID/status, which
// takes the kernel far longer to produce.
func (p plugins) processes(ctx context.Context, _ time.Time) (any, error) {
	ctx = context.WithValue(ctx, common.EnvKey, common.EnvMap{common.HostProcEnvKey: p.proc})
	pids, err := process.PidsWithContext(ctx)
	if err != nil {
		return nil, readError("/proc", err)
	}
	var data processesData
	var buf [512]byte
	for _, pid := range pids {
		f, err := os.Open(filepath.Join(p.proc, strconv.Itoa(int(pid)), "stat"))
		if err != nil {
			continue // the process has ended
		}
		n, _ := f.Read(buf[:])
		f.Close()
		// "pid (name) state": the name may contain anything, also parentheses.
		i := bytes.LastIndexByte(buf[:n], ')')
		if i < 0 || i+2 >= n {
			continue
		}
		data.Total++
		switch buf[i+2] {
		case 'R':
			data.Running++
		case 'Z':
			data.Zombies++
		}
	}
	return data, nil
}

// tcpData counts the IPv4 and IPv6 connections of the agent's network namespace by
// state.
type tcpData struct {
	Established int `json:"established"`
	TimeWait    int `json:"time_wait"`
	CloseWait   int `json:"close_wait"`
	Listen      int `json:"listen"`
	Total       int `json:"total"`
}

// tcp reads the kernel's tables: gopsutil would also read the open files of every
// process to find the owner of each connection.
func (p plugins) tcp(context.Context, time.Time) (any, error) {
	var data tcpData
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(filepath.Join(p.proc, table))
		if errors.Is(err, fs.ErrNotExist) && table == "net/tcp6" {
			continue // IPv6 is disabled
		}
		if err != nil {
			return nil, readError("/proc/"+table, err)
		}
		err = data.count(f)
		f.Close()
		if err != nil {
			return nil, readError("/proc/"+table, err)
		}
	}
	return data, nil
}

// count counts the connections of a table. The fourth column is the state, with
// the numbers of the kernel's tcp_states.h.
func (d *tcpData) count(table io.Reader) error {
	lines := bufio.NewScanner(table)
	lines.Scan() // the header
	for lines.Scan() {
		rest := lines.Bytes()
		var state []byte
		for range 4 {
			rest = bytes.TrimLeft(rest, " ")
			end := bytes.IndexByte(rest, ' ')
			if end < 0 {
				end = len(rest)
			}
			state, rest = rest[:end], rest[end:]
		}
		if len(state) == 0 {
			continue
		}
		d.Total++
		switch string(state) {
		case "01":
			d.Established++
		case "06":
			d.TimeWait++
		case "08":
			d.CloseWait++
		case "0A":
			d.Listen++
		}
	}
	return lines.Err()
}
