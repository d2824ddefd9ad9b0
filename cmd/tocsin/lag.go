package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/chart"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/terminal"
)

// lagFlags are the flags of lag.
type lagFlags struct {
	cluster      string
	group, topic setting.Pattern
	sort         string
	watch, chart bool
	every        setting.Duration
}

func newLagCommand(t *tool) *cobra.Command {
	f := lagFlags{every: setting.Duration(10 * time.Second)}
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "Show consumer lag",
		Long: "Reads the lag of every topic of every consumer group, its rates, and the state of the rules.\n" +
			"The store of the configuration, if it has one, provides the history. With --url a running server\n" +
			"reads the clusters and its store.",
		Example: "  tocsin lag --sort lag\n" +
			"  tocsin lag --url http://127.0.0.1:9093\n" +
			"  tocsin lag --group 'order-.*' --watch --chart\n" +
			"  tocsin lag -o json",
		Args: exactArgs(0),
	}
	from := t.addSourceFlags(cmd)
	format := addOutputFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.cluster, "cluster", "", "`name` of the only cluster to read")
	flags.TextVar(&f.group, "group", setting.Pattern{}, "`regexp` that a consumer group must match, anchored")
	flags.TextVar(&f.topic, "topic", setting.Pattern{}, "`regexp` that a topic must match, anchored")
	orders := slices.Sorted(maps.Keys(lagOrders))
	flags.StringVar(&f.sort, "sort", "name", "`column` to sort by, worst first: "+strings.Join(orders, ", "))
	flags.BoolVar(&f.watch, "watch", false, "read again and again until interrupted")
	flags.TextVar(&f.every, "every", f.every, "`duration` between two reads of --watch")
	flags.BoolVar(&f.chart, "chart", false, "draw the history of each topic's lag")
	t.completeFrom(cmd, "cluster", from.config, clusterNames)
	completeWith(cmd, "sort", orders...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		order := lagOrders[f.sort]
		switch {
		case order == nil:
			return usagef("--sort %s: must be one of %s", f.sort, strings.Join(orders, ", "))
		case f.every <= 0:
			return usagef("--every must be more than 0s")
		}
		return t.lag(cmd.Context(), from, &lagPrinter{tool: t, lagFlags: f, json: *format == "json", pretty: isTerminal(t.stdout), order: order})
	}
	return cmd
}

// lagSource reads lag now, and the history of a topic's lag.
type lagSource struct {
	poll    func(ctx context.Context, now time.Time) ([]lag.TableRow, error)
	history func(ctx context.Context, l lag.TableRow) (trend.History, error)
	close   func()
	zone    *time.Location
}

// openLag returns the lag of one cluster, or with "" of all.
func (t *tool) openLag(ctx context.Context, from *source, cluster string) (lagSource, error) {
	c, err := from.client()
	if err != nil {
		return lagSource{}, err
	}
	if c != nil {
		return c.lag(cluster), nil
	}
	cfg, err := from.load()
	if err != nil {
		return lagSource{}, err
	}
	view, err := app.NewLagView(ctx, cfg, t.options(), cluster)
	if err != nil {
		return lagSource{}, from.explainInUse(cfg, err)
	}
	return lagSource{
		poll: func(ctx context.Context, now time.Time) ([]lag.TableRow, error) { return view.Poll(ctx, now), nil },
		history: func(_ context.Context, l lag.TableRow) (trend.History, error) {
			return view.History(l.Cluster, l.Group, l.Topic), nil
		},
		close: view.Close, zone: cfg.Global.Location(),
	}, nil
}

// lag returns the lag that the server reads.
func (c *client) lag(cluster string) lagSource {
	return lagSource{
		poll: func(ctx context.Context, _ time.Time) (rows []lag.TableRow, err error) {
			query := url.Values{}
			if cluster != "" {
				query.Set("cluster", cluster)
			}
			return rows, c.get(ctx, &rows, query, "lag")
		},
		history: func(ctx context.Context, l lag.TableRow) (trend.History, error) {
			var h api.LagHistory
			err := c.get(ctx, &h, url.Values{"cluster": {l.Cluster}, "group": {l.Group}, "topic": {l.Topic}}, "lag", "history")
			return h.History(), err
		},
		close: func() {}, zone: time.Local,
	}
}

// lag reads and prints the lag once or, with --watch, until ctx is done.
func (t *tool) lag(ctx context.Context, from *source, p *lagPrinter) error {
	view, err := t.openLag(ctx, from, p.cluster)
	if err != nil {
		return err
	}
	defer view.close()
	p.zone = view.zone
	for {
		err := p.poll(ctx, view)
		if !p.watch {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintln(t.stderr, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.every.Std()):
		}
	}
}

// lagPrinter prints lag as the flags ask for it.
type lagPrinter struct {
	*tool
	lagFlags
	json, pretty bool
	order        func(a, b lag.TableRow) int
	zone         *time.Location
}

// poll reads the lag once and prints it.
func (p *lagPrinter) poll(ctx context.Context, view lagSource) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	now := time.Now()
	done := p.showProgress(now)
	rows, err := view.poll(ctx, now)
	done()
	if err != nil {
		return err
	}
	lines := []lag.TableRow{}
	var errs []error
	for _, l := range rows {
		if l.Group == "" || p.group.Match(l.Group) && (l.Topic == "" || p.topic.Match(l.Topic)) {
			lines = append(lines, l)
		}
		switch {
		case l.Error == "":
		case l.Group == "":
			errs = append(errs, fmt.Errorf("cluster %s: %s", l.Cluster, l.Error))
		default:
			errs = append(errs, fmt.Errorf("cluster %s, group %s: %s", l.Cluster, l.Group, l.Error))
		}
	}
	slices.SortStableFunc(lines, p.order)
	if p.json {
		enc := json.NewEncoder(p.stdout)
		if !p.watch { // with --watch every read is one line
			enc.SetIndent("", "  ")
		}
		return errors.Join(append(errs, enc.Encode(lines))...)
	}
	if p.watch {
		if p.pretty {
			fmt.Fprint(terminal.Raw(p.stdout), "\x1b[H\x1b[2J") // clears the screen
		}
		fmt.Fprintf(p.stdout, "%s, every %s\n\n", now.In(p.zone).Format(time.DateTime), p.every)
	}
	switch {
	case len(lines) > 0:
		printLag(p.stdout, lines, p.pretty)
	case len(errs) == 0:
		fmt.Fprintln(p.stdout, "nothing to show: no consumer group that matches has committed an offset, or lag.clusters is empty")
	}
	if p.chart {
		for _, l := range lines {
			if l.Topic == "" {
				continue
			}
			h, err := view.history(ctx, l)
			if err != nil {
				return errors.Join(append(errs, err)...)
			}
			fmt.Fprintf(p.stdout, "\n%s\n", lagChart(l, h, p.zone))
		}
	}
	return errors.Join(errs...)
}

// showProgress prints on a terminal how long a read has taken, until done is
// called.
func (p *lagPrinter) showProgress(since time.Time) (done func()) {
	if !isTerminal(p.stderr) {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-stop:
				if shown {
					fmt.Fprint(terminal.Raw(p.stderr), "\r\x1b[K")
				}
				return
			case now := <-tick.C:
				shown = true
				fmt.Fprintf(terminal.Raw(p.stderr), "\rreading, %s …", now.Sub(since).Round(time.Second))
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

const chartWidth, chartHeight = 100, 12

// lagChart draws the history of a topic's lag.
func lagChart(l lag.TableRow, h trend.History, zone *time.Location) string {
	s := chart.Series{Title: terminal.Line(l.Group + " / " + l.Topic), Last: h.Last, Step: h.Step, Threshold: math.NaN(), Zone: zone}
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

// lagOrders are the columns to sort by, worst first.
var lagOrders = map[string]func(a, b lag.TableRow) int{
	"name":  func(a, b lag.TableRow) int { return 0 },
	"lag":   func(a, b lag.TableRow) int { return descending(a.Lag, b.Lag) },
	"delay": func(a, b lag.TableRow) int { return descending(a.Delay, b.Delay) },
	"in":    func(a, b lag.TableRow) int { return descending(a.RateIn, b.RateIn) },
	"out":   func(a, b lag.TableRow) int { return descending(a.RateOut, b.RateOut) },
	"state": func(a, b lag.TableRow) int { return cmp.Compare(urgency(b), urgency(a)) },
}

// descending orders by a number, the largest first and unknown ones last.
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

// urgency ranks the state of the rules first, then that of the consumer.
func urgency(l lag.TableRow) int {
	states := []lag.AlertState{lag.StateOK, lag.StateUnknown, lag.StatePending, lag.StateFiring}
	consumers := []trend.State{"", trend.OK, trend.Unknown, trend.Growing, trend.Rewind, trend.HungTransaction, trend.Ahead, trend.Stalled, trend.Stopped}
	return slices.Index(states, l.AlertState)*len(consumers) + slices.Index(consumers, l.Status)
}
