package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/chart"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

const (
	// lookTime bounds a command that a person waits for.
	lookTime = time.Minute
	// watchEvery is the time between two looks of --watch unless told otherwise.
	watchEvery = 10 * time.Second
)

// lagFlags are what `tocsin lag` is asked for.
type lagFlags struct {
	cluster      string
	group, topic setting.Pattern
	sort, format string
	watch, chart bool
	every        setting.Duration
	pretty       bool
}

// lagOrders are what lines can be sorted by: the worst first.
var lagOrders = map[string]func(a, b lag.Line) int{
	"name":  func(a, b lag.Line) int { return 0 },
	"lag":   func(a, b lag.Line) int { return descending(a.Lag, b.Lag) },
	"delay": func(a, b lag.Line) int { return descending(a.Delay, b.Delay) },
	"in":    func(a, b lag.Line) int { return descending(a.RateIn, b.RateIn) },
	"out":   func(a, b lag.Line) int { return descending(a.RateOut, b.RateOut) },
	"state": func(a, b lag.Line) int { return cmp.Compare(urgency(b), urgency(a)) },
}

// descending orders by a number, the largest first and what is unknown last.
func descending[N int64 | float64](a, b *N) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a == nil), btoi(b == nil))
	default:
		return cmp.Compare(*b, *a)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// urgency orders lines by how much they ask for.
func urgency(l lag.Line) int {
	states := []lag.Status{lag.OK, lag.Unknown, lag.Pending, lag.Firing}
	consumers := []trend.State{"", trend.OK, trend.Unknown, trend.Growing, trend.Rewind, trend.Stalled, trend.Stopped}
	return slices.Index(states, l.State)*len(consumers) + slices.Index(consumers, l.Status)
}

// showLag prints the lag of every topic of every group, how it moves, and how it
// stands against the rules; with --watch again and again.
func showLag(ctx context.Context, c *call) error {
	f := lagFlags{every: setting.Duration(watchEvery)}
	file := c.flags.String("config", "", "")
	c.flags.StringVar(&f.cluster, "cluster", "", "")
	c.flags.TextVar(&f.group, "group", setting.Pattern{}, "")
	c.flags.TextVar(&f.topic, "topic", setting.Pattern{}, "")
	c.flags.StringVar(&f.sort, "sort", "name", "")
	c.flags.StringVar(&f.format, "o", "table", "")
	c.flags.BoolVar(&f.watch, "watch", false, "")
	c.flags.BoolVar(&f.chart, "chart", false, "")
	c.flags.TextVar(&f.every, "every", f.every, "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	order := lagOrders[f.sort]
	switch {
	case f.format != "table" && f.format != "json":
		return usagef("-o %s: it is table or json", f.format)
	case order == nil:
		return usagef("--sort %s: it is name, lag, delay, in, out or state", f.sort)
	case f.every <= 0:
		return usagef("--every must be more than 0s")
	}
	cfg, err := c.load(*file)
	if err != nil {
		return err
	}
	if f.cluster != "" && !slices.ContainsFunc(cfg.Lag.Clusters, func(cl lag.Cluster) bool { return cl.Name == f.cluster }) {
		return fmt.Errorf("no cluster is named %q in the configuration", f.cluster)
	}
	view, err := app.NewLagView(ctx, cfg, c.options(), func(name string) bool { return f.cluster == "" || name == f.cluster })
	if err != nil {
		return err
	}
	defer view.Close()
	f.pretty = terminal(c.stdout)
	for {
		err := c.look(ctx, view, &f, order, cfg.Global.Location())
		if !f.watch {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintln(c.stderr, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.every.Std()):
		}
	}
}

// look reads once and prints what it saw.
func (c *call) look(ctx context.Context, view *app.LagView, f *lagFlags, order func(a, b lag.Line) int, zone *time.Location) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	now := time.Now()
	done := c.progress(now)
	clusters := view.Look(ctx, now)
	done()
	lines := []lag.Line{}
	windows := map[string]*trend.Window{}
	var errs []error
	for _, cl := range clusters {
		windows[cl.Name] = cl.Window
		if cl.Err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", cl.Name, cl.Err))
		}
		for _, l := range cl.Lines {
			if f.group.Match(l.Group) && (l.Topic == "" || f.topic.Match(l.Topic)) {
				lines = append(lines, l)
			}
			if l.Err != nil {
				errs = append(errs, fmt.Errorf("cluster %s, group %s: %w", cl.Name, l.Group, l.Err))
			}
		}
	}
	slices.SortStableFunc(lines, order)
	if f.format == "json" {
		enc := json.NewEncoder(c.stdout)
		if !f.watch { // of a watch each look is a line
			enc.SetIndent("", "  ")
		}
		return errors.Join(append(errs, enc.Encode(lines))...)
	}
	if f.watch {
		if f.pretty {
			fmt.Fprint(c.stdout, "\x1b[H\x1b[2J")
		}
		fmt.Fprintf(c.stdout, "%s, every %s\n\n", now.In(zone).Format(time.DateTime), f.every)
	}
	switch {
	case len(lines) > 0:
		printLag(c.stdout, lines, f.pretty)
	case len(errs) == 0:
		fmt.Fprintln(c.stdout, "no consumer group has a committed offset in what is asked for")
	}
	if f.chart {
		for _, l := range lines {
			if l.Topic != "" {
				fmt.Fprintf(c.stdout, "\n%s\n", lagChart(l, windows[l.Cluster], zone))
			}
		}
	}
	return errors.Join(errs...)
}

// progress says on a terminal that a long read goes on, until it is done.
func (c *call) progress(since time.Time) (done func()) {
	if !terminal(c.stderr) {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		said := false
		for {
			select {
			case <-stop:
				if said {
					fmt.Fprint(c.stderr, "\r\x1b[K")
				}
				return
			case now := <-tick.C:
				said = true
				fmt.Fprintf(c.stderr, "\rreading, %s …", now.Sub(since).Round(time.Second))
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// lagChart draws how the lag of a line went.
func lagChart(l lag.Line, w *trend.Window, zone *time.Location) string {
	h := w.History(l.Group, l.Topic)
	s := chart.Series{Title: l.Group + " / " + l.Topic, Last: h.Last, Step: h.Step, Threshold: math.NaN(), Zone: zone}
	for _, v := range h.Values {
		if v < 0 {
			s.Values = append(s.Values, math.NaN())
		} else {
			s.Values = append(s.Values, float64(v))
		}
	}
	if l.Threshold != nil {
		s.Threshold = float64(*l.Threshold)
	}
	return chart.Text(s, chartWidth, chartHeight)
}

const chartWidth, chartHeight = 100, 12

// options are those of a command that a person runs.
func (c *call) options() app.Options {
	return app.Options{Lookup: c.lookup, Now: time.Now, Log: slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

// terminal tells whether w is one.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
