package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/terminal"
)

// commandTimeout bounds a command that a person waits for.
const commandTimeout = time.Minute

// tool holds the surroundings that every command works in.
type tool struct {
	stdout, stderr io.Writer     // each is a terminal.Writer
	lookup         config.Lookup // reads the environment
}

// load reads the configuration at path, or the one that is found without a path,
// and prints its warnings.
func (t *tool) load(path string) (*config.Config, error) { return t.loadWith(path, config.Load) }

func (t *tool) loadWith(path string, load func(string, config.Lookup) (*config.Config, []config.Problem, error)) (*config.Config, error) {
	if path == "" {
		var err error
		if path, err = config.Find(t.lookup); err != nil {
			return nil, err
		}
	}
	cfg, warnings, err := load(path, t.lookup)
	for _, w := range warnings {
		fmt.Fprintf(t.stderr, "warning: %s\n", w)
	}
	return cfg, err
}

// options are the application's options for a command that a person runs.
func (t *tool) options() app.Options {
	return app.Options{Lookup: t.lookup, Now: time.Now, Log: slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

// addConfigFlag adds the flag --config to a command.
func addConfigFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().String("config", "", "configuration `file` (default: $TOCSIN_CONFIG, then tocsin.yaml beside the binary or here)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	return path
}

// addOutputFlag adds the flag -o to a command.
func addOutputFlag(cmd *cobra.Command) *outputFormat {
	format := outputFormat("table")
	cmd.Flags().VarP(&format, "output", "o", "table or json")
	completeWith(cmd, "output", "table", "json")
	return &format
}

// outputFormat is "table" or "json".
type outputFormat string

func (o *outputFormat) String() string { return string(*o) }
func (o *outputFormat) Type() string   { return "format" }
func (o *outputFormat) Set(s string) error {
	if s != "table" && s != "json" {
		return errors.New("must be table or json")
	}
	*o = outputFormat(s)
	return nil
}

// completeWith makes a flag complete to fixed values.
func completeWith(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeFrom makes a flag complete to names in the configuration. A
// configuration with faults completes to nothing.
func (t *tool) completeFrom(cmd *cobra.Command, flag string, path *string, names func(*config.Config) []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		quiet := &tool{stdout: io.Discard, stderr: io.Discard, lookup: t.lookup}
		cfg, err := quiet.load(*path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(cfg), cobra.ShellCompDirectiveNoFileComp
	})
}

func receiverNames(cfg *config.Config) (names []string) {
	for _, r := range cfg.Receivers {
		names = append(names, r.Name)
	}
	return names
}

func clusterNames(cfg *config.Config) (names []string) {
	for _, c := range cfg.Lag.Clusters {
		names = append(names, c.Name)
	}
	return names
}

// printMessage prints a message of a channel as its reader sees it, or why there is
// none.
func (t *tool) printMessage(channel, text, problem string) {
	fmt.Fprintf(t.stdout, "%s\n", channel)
	if problem != "" {
		fmt.Fprintf(t.stdout, "  %s\n", problem)
		return
	}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		fmt.Fprintf(t.stdout, "  │ %s\n", strings.TrimRight(line, "\r\n"))
	}
}

// maxFile bounds a file that is given to a command, in bytes.
const maxFile = 32 << 20

// readFile reads a file of at most maxFile bytes; "-" is standard input.
func readFile(name string) ([]byte, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
		defer f.Close()
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d MiB", name, maxFile>>20)
	}
	return data, err
}

// isTerminal reports whether w is a terminal that may be coloured.
func isTerminal(w io.Writer) bool {
	f, ok := terminal.Raw(w).(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
