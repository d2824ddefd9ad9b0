package agent

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/shirou/gopsutil/v4/common"
)

// plugins are the plugins of a machine.
type plugins struct {
	proc string // where its /proc is
	dir  string // of executables, "" for none
}

// open returns the plugin that collects s: a built-in one, or an executable.
func (p plugins) open(s service) (plugin, error) {
	switch s.plugin {
	case "cpu":
		return plugin{collect: p.on(new(cpuPlugin).collect), compares: true}, nil
	case "network":
		return plugin{collect: p.on(new(networkPlugin).collect), compares: true}, nil
	case "memory":
		return plugin{collect: p.on(memory)}, nil
	case "disk":
		return plugin{collect: p.on(disk)}, nil
	case "load":
		return plugin{collect: p.on(load)}, nil
	case "uptime":
		return plugin{collect: p.on(uptime)}, nil
	case "processes":
		return plugin{collect: p.processes}, nil
	case "tcp":
		return plugin{collect: p.tcp}, nil
	default:
		return p.executable(s)
	}
}

type collect = func(ctx context.Context, now time.Time) (any, error)

// on tells gopsutil where /proc is.
func (p plugins) on(c collect) collect {
	env := common.EnvMap{common.HostProcEnvKey: p.proc}
	return func(ctx context.Context, now time.Time) (any, error) {
		return c(context.WithValue(ctx, common.EnvKey, env), now)
	}
}

// percent returns how much of whole part is, to one decimal; 0 of nothing.
func percent(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return tenth(part / whole * 100)
}

func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// reading returns err with what could not be read.
func reading(what string, err error) error { return fmt.Errorf("read %s: %w", what, err) }
