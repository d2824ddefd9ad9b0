package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"tocsin/pkg/app"
	"tocsin/pkg/lag"
)

// lookTime bounds a command that a person waits for.
const lookTime = time.Minute

// showLag prints the lag of every topic of every group, and how it stands
// against the rules.
func showLag(ctx context.Context, c *call) error {
	file := c.flags.String("config", "", "")
	cluster := c.flags.String("cluster", "", "")
	group := c.flags.String("group", "", "")
	format := c.flags.String("o", "table", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if *format != "table" && *format != "json" {
		return usagef("-o %s: it is table or json", *format)
	}
	cfg, err := c.load(*file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	clusters, err := app.LagNow(ctx, cfg, c.options(), time.Now(), func(name string) bool { return *cluster == "" || name == *cluster })
	if err != nil {
		return err
	}
	if len(clusters) == 0 {
		return fmt.Errorf("no cluster is named %q in the configuration", *cluster)
	}
	var lines []lag.Line
	var errs []error
	for _, cl := range clusters {
		if cl.Err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", cl.Name, cl.Err))
		}
		for _, l := range cl.Lines {
			if *group == "" || l.Group == *group {
				lines = append(lines, l)
			}
			if l.Err != nil {
				errs = append(errs, fmt.Errorf("cluster %s, group %s: %w", cl.Name, l.Group, l.Err))
			}
		}
	}
	if *format == "json" {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		if lines == nil {
			lines = []lag.Line{}
		}
		if err := enc.Encode(lines); err != nil {
			return err
		}
	} else if len(lines) > 0 {
		printLag(c.stdout, lines, terminal(c.stdout))
	}
	return errors.Join(errs...)
}

// options are those of a command that a person runs.
func (c *call) options() app.Options {
	return app.Options{Lookup: c.lookup, Now: time.Now, Log: slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

func printLag(w io.Writer, lines []lag.Line, pretty bool) {
	t := plainTable("CLUSTER", "GROUP", "TOPIC", "LAG", "THRESHOLD", "WORST", "STATE")
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 4, Align: text.AlignRight, AlignHeader: text.AlignRight},
		{Number: 5, Align: text.AlignRight, AlignHeader: text.AlignRight},
	})
	for _, l := range lines {
		if l.Topic == "" {
			t.AppendRow(table.Row{l.Cluster, l.Group, "", "", "", "", "not read"})
			continue
		}
		t.AppendRow(table.Row{l.Cluster, l.Group, l.Topic, count(l.Lag, "unknown"), count(l.Threshold, ""), worst(l), state(l, pretty)})
	}
	if pretty {
		t.Style().Color.Header = text.Colors{text.Bold}
	}
	printTable(w, t)
}

// plainTable is a table of columns and nothing else, fit for other programs.
func plainTable(columns ...any) table.Writer {
	t := table.NewWriter()
	t.AppendHeader(columns)
	t.SetStyle(table.StyleDefault)
	t.Style().Options = table.Options{}
	t.Style().Box.PaddingLeft = ""
	t.Style().Box.PaddingRight = "  "
	return t
}

func printTable(w io.Writer, t table.Writer) {
	for line := range strings.Lines(t.Render() + "\n") {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// count prints a number in groups of three digits.
func count(n *int64, none string) string {
	if n == nil {
		return none
	}
	digits := strconv.FormatInt(*n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func worst(l lag.Line) string {
	s := ""
	if l.Worst != nil {
		s = fmt.Sprintf("partition %d", *l.Worst)
	}
	if l.Unknown > 0 {
		s = strings.TrimSpace(fmt.Sprintf("%s (%d unknown: %s)", s, l.Unknown, l.Reason))
	}
	return s
}

func state(l lag.Line, pretty bool) string {
	s := string(l.State)
	if !pretty {
		return s
	}
	switch l.State {
	case lag.Firing:
		return text.FgRed.Sprint(s)
	case lag.Pending, lag.Unknown:
		return text.FgYellow.Sprint(s)
	default:
		return s
	}
}

// terminal tells whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
