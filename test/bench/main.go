// Bench measures the costs that Tocsin promises to keep low, each next to a
// baseline, and prints one table. Functions and servers are built binaries,
// started as a platform would start them; the local cloud runs in this process.
// Absolute times depend on the machine; compare the ratios.
//
// The columns of the table are
//
//	part         the name to run this part alone: ./scripts/bench PART...
//	measurement  the measured cost or rate, with its conditions
//	Tocsin       the result, as median (minimum–maximum) if there are several
//	baseline     the result of another program, or of Tocsin with less work
//	ratio        Tocsin divided by baseline
//	limit        the largest ratio, or value, that is acceptable
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: bench FOLDER [PART...]; run ./scripts/bench, which builds the binaries in the folder")
		os.Exit(2)
	}
	if main := subprocesses[os.Args[1]]; main != nil {
		main(os.Args[2:])
		return
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// row is a row of the table without its part.
type row struct {
	name     string
	value    string
	baseline string
	ratio    string
	limit    string
}

// parts are the measurements by the name that selects them.
var parts = []struct {
	name string
	run  func(*bench, context.Context) ([]row, error)
}{
	{"cold-start", (*bench).coldStart},
	{"invocation", (*bench).invocation},
	{"poll", (*bench).poll},
	{"hook-start", (*bench).hookStart},
	{"evaluate", (*bench).evaluateAndRender},
	{"render", (*bench).renderers},
	{"decoders", (*bench).decoders},
	{"accept", (*bench).accept},
	{"tick", (*bench).quietTick},
	{"flush", (*bench).flush},
	{"memory", (*bench).memory},
	{"hooks", (*bench).hooks},
	{"kafka", (*bench).kafka},
	{"history", (*bench).history},
	{"reports", (*bench).reports},
	{"offline", (*bench).offline},
	{"agent", (*bench).agent},
}

func run(ctx context.Context, dir string, only []string) error {
	var known []string
	for _, p := range parts {
		known = append(known, p.name)
	}
	for _, name := range only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no part %q, only %s", name, strings.Join(known, ", "))
		}
	}
	// The cloud in this process stands for one elsewhere, so its garbage
	// collection should not take time from the measured processes.
	debug.SetGCPercent(1000)
	work, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b := &bench{dir: dir, work: work}
	stop, err := b.startRedis()
	if err != nil {
		return err
	}
	defer stop()
	t := table.NewWriter()
	t.SetOutputMirror(os.Stdout)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"part", "measurement", "Tocsin", "baseline", "ratio", "limit"})
	for _, p := range parts {
		if len(only) > 0 && !slices.Contains(only, p.name) {
			continue
		}
		rows, err := p.run(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		part := p.name
		for _, r := range rows {
			t.AppendRow(table.Row{part, r.name, r.value, r.baseline, r.ratio, r.limit})
			part = "" // once for all of its rows
		}
		t.AppendSeparator()
	}
	t.Render()
	fmt.Println(legend)
	return nil
}

const legend = `Times are medians (minimum–maximum). ratio is Tocsin divided by baseline: lower is better, for rates
per second higher is better. limit is the largest acceptable ratio, or value if it has a unit.`

// bench has the locations that the parts share.
type bench struct {
	dir   string // of the binaries
	work  string
	redis string // URL
}

// sample is repeated measurements. It prints as their median and range.
type sample []time.Duration

func (s sample) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s sample) String() string {
	return fmt.Sprintf("%s (%s–%s)", millis(s.median()), millis(slices.Min(s)), millis(slices.Max(s)))
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func ratio[T ~int | ~int64](a, b T) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

// binary returns the path of a binary.
func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }

// writeConfig writes a configuration file and returns its path.
func (b *bench) writeConfig(name, text string) (string, error) {
	path := filepath.Join(b.work, name)
	return path, os.WriteFile(path, []byte(strings.TrimSpace(text)+"\n"), 0o600)
}
