package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"tocsin/pkg/humanize"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/terminal"
)

// printLag prints a table with a line for each topic of a group. A pretty one has
// colours.
func printLag(w io.Writer, lines []lag.TableRow, pretty bool) {
	t := newTable("CLUSTER", "GROUP", "TOPIC", "LAG", "LIMIT", "BEHIND", "IN/S", "OUT/S", "DRAINED IN", "CONSUMER", "STATE", "WORST")
	var columns []table.ColumnConfig
	for n := 4; n <= 9; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	for _, l := range lines {
		if l.Group == "" { // a cluster that could not be read, whose error is printed
			continue
		}
		if l.Topic == "" {
			t.AppendRow(table.Row{l.Cluster, l.Group, "", "", "", "", "", "", "", "", "not read", ""})
			continue
		}
		t.AppendRow(table.Row{l.Cluster, l.Group, l.Topic, formatCount(l.Lag, "unknown"), formatCount(l.Threshold, ""), formatDelay(l), formatRate(l.RateIn), formatRate(l.RateOut), l.Drain,
			consumerCell(l, pretty), stateCell(l, pretty), worstCell(l)})
	}
	if pretty {
		t.Style().Color.Header = text.Colors{text.Bold}
	}
	printTable(w, t)
}

// cells is a table whose cells are escaped.
type cells struct{ table.Writer }

// painted is a cell that is escaped already and has a colour.
type painted string

func paint(c text.Color, s string) painted { return painted(c.Sprint(terminal.Line(s))) }

// AppendRow adds a row to the table.
func (c cells) AppendRow(row table.Row, configs ...table.RowConfig) {
	for i, cell := range row {
		if text, ok := cell.(string); ok {
			row[i] = terminal.Line(text)
		}
	}
	c.Writer.AppendRow(row, configs...)
}

// newTable returns a table without lines or padding, which other programs can read.
func newTable(columns ...any) cells {
	t := table.NewWriter()
	t.AppendHeader(columns)
	t.SetStyle(table.StyleDefault)
	t.Style().Options = table.Options{}
	t.Style().Box.PaddingLeft = ""
	t.Style().Box.PaddingRight = "  "
	return cells{t}
}

func printTable(w io.Writer, t cells) {
	w = terminal.Raw(w)
	for line := range strings.Lines(t.Render() + "\n") {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// formatCount returns a number with its digits grouped by three; none if there is no
// number.
func formatCount(n *int64, none string) string {
	if n == nil {
		return none
	}
	return humanize.Int(*n)
}

// formatDelay returns the age of the oldest unread message.
func formatDelay(l lag.TableRow) string {
	if l.Delay == nil {
		return ""
	}
	return setting.Duration(time.Duration(*l.Delay) * time.Second).String()
}

// formatRate returns messages per second, with one decimal below ten.
func formatRate(r *float64) string {
	switch {
	case r == nil:
		return ""
	case *r < 10:
		return strconv.FormatFloat(*r, 'f', 1, 64)
	default:
		n := int64(*r + 0.5)
		return formatCount(&n, "")
	}
}

// consumerCell returns the status of the group on the topic, and how many messages it
// lost.
func consumerCell(l lag.TableRow, pretty bool) any {
	s := string(l.Status)
	if l.Unsubscribed {
		s = "unsubscribed"
	}
	if l.Lost > 0 {
		s = strings.TrimPrefix(s+", ", ", ") + "lost " + formatCount(&l.Lost, "")
	}
	if !pretty {
		return s
	}
	switch {
	case l.Status == trend.Stopped, l.Status == trend.Stalled, l.Lost > 0:
		return paint(text.FgRed, s)
	case l.Status == trend.Ahead, l.Status == trend.HungTransaction, l.Status == trend.Rewind, l.Status == trend.Growing:
		return paint(text.FgYellow, s)
	default:
		return s
	}
}

// stateCell returns the state of the rules, and the rule that is pending or firing.
func stateCell(l lag.TableRow, pretty bool) any {
	s := string(l.AlertState)
	if l.AlertState == lag.StateFiring || l.AlertState == lag.StatePending {
		s += " " + l.Rule
	}
	if !pretty {
		return s
	}
	switch l.AlertState {
	case lag.StateFiring:
		return paint(text.FgRed, s)
	case lag.StatePending, lag.StateUnknown:
		return paint(text.FgYellow, s)
	default:
		return s
	}
}

// worstCell returns the partition with the largest lag, how many are unknown, and the
// source that was read.
func worstCell(l lag.TableRow) string {
	var parts []string
	if l.WorstPartition != nil {
		parts = append(parts, fmt.Sprintf("partition %d", *l.WorstPartition))
	}
	if l.UnknownPartitions > 0 {
		parts = append(parts, fmt.Sprintf("(%d unknown: %s)", l.UnknownPartitions, l.Reason))
	}
	if l.Source != "" {
		parts = append(parts, "by "+l.Source)
	}
	return strings.Join(parts, " ")
}
