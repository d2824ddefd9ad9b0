// Command tocsin is the command-line tool: it runs everything in one process,
// demonstrates it on one machine, and checks a configuration, shows lag, renders
// and sends messages and manages dead letters from a terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones on machines that have none

	"github.com/spf13/cobra"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv))
}

// run executes the command that args name and returns the exit status: 0 done,
// 1 failed, 2 wrong usage. An error is printed to stderr on one line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, lookup config.Lookup) int {
	stdout, stderr = terminal.NewWriter(stdout), terminal.NewWriter(stderr)
	root := newRootCommand(&tool{stdout: stdout, stderr: stderr, lookup: lookup})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var faults config.Faults
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "%s: %v; see %s --help\n", cmd.CommandPath(), err, cmd.CommandPath())
		return 2
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, faults)
	default:
		fmt.Fprintf(stderr, "%s: %s\n", cmd.CommandPath(), strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return 1
}

// errUsage marks errors in how a command was called.
var errUsage = errors.New("wrong usage")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
}

// Groups of commands in the help.
const (
	groupRun     = "run"
	groupInspect = "inspect"
	groupAct     = "act"
)

func newRootCommand(t *tool) *cobra.Command {
	root := &cobra.Command{
		Use:                        "tocsin",
		Short:                      "Alerting with no server to keep alive",
		Long:                       "Tocsin watches Kafka consumer lag and silent hosts, takes in other systems' alerts,\nand notifies the right people once.",
		Version:                    app.Version,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("a command is missing")
			}
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %q?", near[0])
			}
			return usagef("there is no command %q%s", args[0], hint)
		},
	}
	root.SetVersionTemplate("tocsin, version {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupInspect, Title: "Inspect:"},
		&cobra.Group{ID: groupAct, Title: "Act:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupRun, newDevCommand(t), newServeCommand(t), newAgentCommand(t))
	add(groupInspect, newCheckConfigCommand(t), newLagCommand(t), newRenderCommand(t))
	add(groupAct, newSendCommand(t), newDeadCommand(t))
	root.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(t.stdout, "tocsin, version", app.Version)
			return err
		},
	})
	return root
}

// exactArgs accepts n positional arguments and calls anything else wrong usage.
func exactArgs(n int) cobra.PositionalArgs { return rangeArgs(n, n) }

// rangeArgs accepts between least and most positional arguments.
func rangeArgs(least, most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if n := len(args); n < least || n > most {
			return usagef("%d arguments besides the flags, want %s", n, argCount(least, most))
		}
		return nil
	}
}

func argCount(least, most int) string {
	if least == most {
		return fmt.Sprint(most)
	}
	return fmt.Sprintf("%d to %d", least, most)
}
