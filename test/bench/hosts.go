package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/backend"
)

// hostsConfig returns a configuration with n hosts and all built-in plugins of
// the agent.
func hostsConfig(n int, more string) string {
	var b strings.Builder
	b.WriteString(silentConfig + more + `
hosts:
  templates:
    - name: linux
      services:
`)
	for _, plugin := range []string{"cpu", "memory", "disk", "network", "load", "uptime", "processes", "tcp"} {
		fmt.Fprintf(&b, "        %s: {plugin: %s, interval: 15s}\n", plugin, plugin)
	}
	b.WriteString("  groups: [{name: all, templates: [linux]}]\n  rules: [{alert: Busy, value: cpu.usage_percent, above: 90, for: 2m}]\n  hosts:\n")
	for i := range n {
		fmt.Fprintf(&b, "    - {id: host-%d, groups: [all]}\n", i)
	}
	return b.String()
}

// reports measures how many reports per second of 10,000 hosts are accepted
// from 16 clients, stored and evaluated.
func (b *bench) reports(ctx context.Context) ([]row, error) {
	const hosts = 10_000
	requests := make([]request, hosts)
	for i := range requests {
		body, err := json.Marshal(map[string]any{"client_id": fmt.Sprintf("host-%d", i), "service_name": "cpu",
			"data": map[string]any{"usage_percent": 12.5, "cores": 4, "user_percent": 9.5, "system_percent": 2.1, "iowait_percent": 0.9}})
		if err != nil {
			return nil, err
		}
		requests[i] = request{fmt.Sprintf("/agents/host-%d/report", i), body}
	}
	const needed = hosts * 8 / 15.0 // per second, for all services at their interval
	var rows []row
	for name, store := range map[string]string{"bolt": "", "Redis": "store: {url: \"" + b.redis + "\"}\n"} {
		config, err := b.writeConfig("hosts-"+name+".yml", hostsConfig(hosts, store))
		if err != nil {
			return nil, err
		}
		s, err := startServer(b.binary("tocsin"), config, filepath.Join(b.work, "hosts-"+name))
		if err != nil {
			return nil, err
		}
		const d = 3 * time.Second
		n, err := s.post(ctx, 16, requests, d)
		s.stop()
		if err != nil {
			return nil, err
		}
		perSecond := float64(n) / d.Seconds()
		rows = append(rows, row{"host reports accepted per second (higher is better), 10,000 hosts, on " + name, fmt.Sprintf("%.0f", perSecond),
			fmt.Sprintf("needed for 8 services every 15 s: %.0f", needed), fmt.Sprintf("%.2f", perSecond/needed), ""})
	}
	return rows, nil
}

// offline measures a check for silent hosts that finds none, with few and with
// many hosts.
func (b *bench) offline(ctx context.Context) ([]row, error) {
	check := func(hosts int) (sample, int, error) {
		s, err := backend.Open(ctx, "bolt:"+filepath.Join(b.work, fmt.Sprintf("offline-%d", hosts)))
		if err != nil {
			return nil, 0, err
		}
		defer s.Close()
		c := &countingStore{Store: s}
		offline := setting.Duration(time.Hour)
		config := &host.Config{OfflineAfter: &offline}
		for i := range hosts {
			config.Hosts = append(config.Hosts, host.InventoryEntry{ID: fmt.Sprintf("host-%d", i)})
		}
		ingest := func(context.Context, time.Time, []*alert.Alert) error { return nil }
		log := slog.New(slog.DiscardHandler)
		inventory := host.NewInventory(config)
		registry := &host.Registry{Store: c, Inventory: inventory, Ingest: ingest, Log: log}
		now := time.Now()
		if err := reportAll(ctx, registry, now, hosts); err != nil {
			return nil, 0, err
		}
		w := &host.Watcher{Store: c, Inventory: inventory, Ingest: ingest, Log: log, InTimeInterval: func(string, time.Time) bool { return false }}
		if _, err := w.Check(ctx, now); err != nil { // the first check registers the hosts
			return nil, 0, err
		}
		c.operations = 0
		const checks = 200
		var took sample
		for i := range checks {
			at := now.Add(time.Duration(i+1) * time.Second)
			begin := time.Now()
			if _, err := w.Check(ctx, at); err != nil {
				return nil, 0, err
			}
			took = append(took, time.Since(begin))
		}
		return took, c.operations / checks, nil
	}
	few, _, err := check(100)
	if err != nil {
		return nil, err
	}
	many, operations, err := check(10_000)
	if err != nil {
		return nil, err
	}
	return []row{{fmt.Sprintf("check for silent hosts among 10,000, none silent (%d store operations)", operations), micros(many.median()),
		"among 100 hosts: " + micros(few.median()), ratio(many.median(), few.median()), "1.2"}}, nil
}

// reportAll sends one report for each host, several in parallel.
func reportAll(ctx context.Context, r *host.Registry, now time.Time, hosts int) error {
	var g errgroup.Group
	g.SetLimit(64)
	for i := range hosts {
		g.Go(func() error {
			_, err := r.Report(ctx, now, fmt.Sprintf("host-%d", i), host.Report{Service: "cpu", Data: []byte(`{}`)})
			return err
		})
	}
	return g.Wait()
}

// agent measures the CPU time and memory of the agent on an otherwise idle
// machine, with all plugins every 15 seconds.
func (b *bench) agent(ctx context.Context) ([]row, error) {
	config, err := b.writeConfig("agent.yml", hostsConfig(1, ""))
	if err != nil {
		return nil, err
	}
	s, err := startServer(b.binary("tocsin"), config, filepath.Join(b.work, "agent-server"))
	if err != nil {
		return nil, err
	}
	defer s.stop()
	cmd := exec.CommandContext(ctx, b.binary("tocsin-agent"), "--server", s.url, "--id", "host-0", "--state", filepath.Join(b.work, "agent"))
	cmd.Env = append(os.Environ(), "TOCSIN_AGENT_TOKEN=the-server-requires-none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	const d = time.Minute
	time.Sleep(20 * time.Second) // until every plugin has run once
	before, err := cpuTime(cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	time.Sleep(d)
	after, err := cpuTime(cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	memory, err := processMemory(cmd.Process.Pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	return []row{
		{"agent with all plugins every 15 s: CPU time of one core", fmt.Sprintf("%.2f %%", 100*(after-before).Seconds()/d.Seconds()), "", "", "0.5 %"},
		{"agent with all plugins every 15 s: memory", megabytes(memory), "", "", "20 MB"},
	}, nil
}

// cpuTime returns the CPU time of a process, with a resolution of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}
