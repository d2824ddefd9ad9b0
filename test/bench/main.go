// Bench measures what Tocsin promises to be cheap at, each thing beside another
// that it can be compared with, and prints one table. What it starts it starts
// as a platform would: built binaries, driven over the platform's wire, with the
// local cloud in this process. Absolute times are the machine's; the ratios are
// what to look at.
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
		fmt.Fprintln(os.Stderr, "usage: bench FOLDER [WHAT...]; run ./scripts/bench, which builds what is in the folder")
		os.Exit(2)
	}
	if role := roles[os.Args[1]]; role != nil {
		role(os.Args[2:])
		return
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// row is one line of the table.
type row struct {
	what     string
	measured string
	beside   string
	ratio    string
	bound    string
}

// measures are what is measured, by the names that choose among them.
var measures = []struct {
	name string
	run  func(*bench, context.Context) ([]row, error)
}{
	{"cold-start", (*bench).coldStart},
	{"invocation", (*bench).invocation},
	{"poll", (*bench).poll},
	{"hook-start", (*bench).hookStart},
	{"words", (*bench).judgeAndRender},
	{"renderers", (*bench).renderers},
	{"decoders", (*bench).decoders},
	{"accept", (*bench).accept},
	{"tick", (*bench).quietTick},
	{"flush", (*bench).flush},
	{"memory", (*bench).memory},
	{"hooks", (*bench).hooks},
	{"kafka", (*bench).kafka},
	{"history", (*bench).history},
	{"reports", (*bench).reports},
	{"silence", (*bench).silence},
	{"agent", (*bench).agent},
}

func run(ctx context.Context, dir string, only []string) error {
	var known []string
	for _, measure := range measures {
		known = append(known, measure.name)
	}
	for _, name := range only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no measure %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	// The cloud in this process stands for one elsewhere: what it collects takes
	// the time of what is measured.
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
	var rows []row
	for _, measure := range measures {
		if len(only) > 0 && !slices.Contains(only, measure.name) {
			continue
		}
		r, err := measure.run(b, ctx)
		if err != nil {
			return err
		}
		rows = append(rows, r...)
	}
	t := table.NewWriter()
	t.SetOutputMirror(os.Stdout)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"what", "measured", "beside", "ratio", "at most"})
	for _, r := range rows {
		t.AppendRow(table.Row{r.what, r.measured, r.beside, r.ratio, r.bound})
	}
	t.Render()
	return nil
}

// bench knows where things are.
type bench struct {
	dir   string // of the binaries
	work  string
	redis string // URL
}

// sample holds what was measured again and again; it prints as its median, with
// the spread.
type sample []time.Duration

func (s sample) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s sample) String() string {
	return fmt.Sprintf("%s (%s–%s)", ms(s.median()), ms(slices.Min(s)), ms(slices.Max(s)))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func ratio[T ~int | ~int64](a, b T) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

// binary is the path of one of the binaries.
func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }

// write puts a configuration into a file.
func (b *bench) write(name, text string) (string, error) {
	path := filepath.Join(b.work, name)
	return path, os.WriteFile(path, []byte(strings.TrimSpace(text)+"\n"), 0o600)
}
