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
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bench FOLDER, with the binaries bare and lag in it; run ./scripts/bench")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
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

func run(ctx context.Context, dir string) error {
	// The cloud in this process stands for one elsewhere: what it collects takes
	// the time of what is measured.
	debug.SetGCPercent(1000)
	work, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b := &bench{bare: filepath.Join(dir, "bare"), lag: filepath.Join(dir, "lag"), work: work}
	var rows []row
	for _, measure := range []func(context.Context) ([]row, error){b.coldStart, b.invocation, b.poll, b.judgeAndRender} {
		r, err := measure(ctx)
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

// bench holds the binaries that are measured.
type bench struct {
	bare, lag string
	work      string
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

// write puts a configuration into a file.
func (b *bench) write(name, text string) (string, error) {
	path := filepath.Join(b.work, name)
	return path, os.WriteFile(path, []byte(strings.TrimSpace(text)+"\n"), 0o600)
}
