package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/pkg/alert"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/terminal"
)

func newCheckConfigCommand(t *tool) *cobra.Command {
	var sample, hook string
	cmd := &cobra.Command{
		Use:   "check-config [FILE]",
		Short: "Check a configuration, or the alerts that a hook makes of a message",
		Long: "Prints ok and a summary, or every fault with file and line. Warnings do not fail the check.\n" +
			"With --sample it prints the alerts that a hook makes of a message, and their receivers.",
		Example: "  tocsin check-config tocsin.yaml\n" +
			"  tocsin check-config tocsin.yaml --hook generic/ci --sample build.json",
		Args: rangeArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			cfg, err := t.loadWith(path, config.Check)
			if err != nil {
				return err
			}
			if sample != "" {
				return t.checkSample(cmd.Context(), cfg, hook, sample)
			}
			fmt.Fprintln(t.stdout, "ok")
			for _, line := range cfg.Summary() {
				fmt.Fprintln(t.stdout, "  "+line)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&sample, "sample", "", "`file` with a message for the hook; - for standard input")
	cmd.Flags().StringVar(&hook, "hook", "", "`hook` that takes the sample, such as grafana or generic/ci (default: the only generic hook)")
	return cmd
}

// checkSample prints the alerts that a hook makes of the message in a file.
func (t *tool) checkSample(ctx context.Context, cfg *config.Config, hook, file string) error {
	if hook == "" && len(cfg.Webhook.Generic) == 1 {
		hook = "generic/" + cfg.Webhook.Generic[0].Name
	}
	hook = strings.TrimPrefix(strings.TrimPrefix(hook, "/"), "hooks/")
	if hook == "" {
		return usagef("--hook is missing: the hook that takes the sample, such as generic/ci or grafana")
	}
	message, err := readFile(file)
	if err != nil {
		return err
	}
	now := time.Now()
	alerts, err := app.Sample(ctx, cfg, t.options(), hook, message, now)
	if err != nil {
		return fmt.Errorf("/hooks/%s refuses it: %w", hook, err)
	}
	fmt.Fprintf(t.stdout, "/hooks/%s: %d alerts\n", hook, len(alerts))
	for _, a := range alerts {
		state := "firing"
		if a.ResolvedAt(now) {
			state = "resolved"
		}
		fmt.Fprintf(t.stdout, "%s %s → %s\n", state, terminal.Line(a.Name()), strings.Join(a.Receivers, ", "))
		t.printLabels("label", a.Labels)
		t.printLabels("annotation", a.Annotations)
		fmt.Fprintf(t.stdout, "  starts %s\n", a.StartsAt.In(cfg.Global.Location()).Format(time.RFC3339))
		if !a.EndsAt.IsZero() {
			fmt.Fprintf(t.stdout, "  ends %s\n", a.EndsAt.In(cfg.Global.Location()).Format(time.RFC3339))
		}
	}
	return nil
}

// printLabels prints names and values in order, each on a line.
func (t *tool) printLabels(kind string, labels alert.Labels) {
	for _, name := range labels.Names() {
		fmt.Fprintf(t.stdout, "  %s %s = %q\n", kind, terminal.Line(name), labels[name])
	}
}
