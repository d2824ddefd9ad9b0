package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
)

// checkConfig finds everything that is wrong with a configuration. Warnings do
// not fail it. With a sample it shows what a hook makes of that.
func checkConfig(ctx context.Context, c *call) error {
	sample := c.flags.String("sample", "", "")
	hook := c.flags.String("hook", "", "")
	if err := c.parse(0, 1); err != nil {
		return err
	}
	path := ""
	if len(c.words) > 0 {
		path = c.words[0]
	}
	cfg, err := c.loadWith(path, config.Check)
	if err != nil {
		return err
	}
	if *sample != "" {
		return c.trySample(ctx, cfg, *hook, *sample)
	}
	fmt.Fprintln(c.stdout, "ok")
	for _, line := range cfg.Summary() {
		fmt.Fprintln(c.stdout, "  "+line)
	}
	return nil
}

// trySample shows the alerts that a hook makes of the message in a file.
func (c *call) trySample(ctx context.Context, cfg *config.Config, hook, file string) error {
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
	alerts, err := app.Sample(ctx, cfg, c.options(), hook, message, time.Now())
	if err != nil {
		return fmt.Errorf("/hooks/%s refuses it: %w", hook, err)
	}
	fmt.Fprintf(c.stdout, "/hooks/%s: %d alerts\n", hook, len(alerts))
	for _, a := range alerts {
		state := "firing"
		if a.ResolvedAt(time.Now()) {
			state = "resolved"
		}
		fmt.Fprintf(c.stdout, "%s %s → %s\n", state, a.Name(), strings.Join(a.Receivers, ", "))
		c.pairs("label", a.Labels)
		c.pairs("annotation", a.Annotations)
		fmt.Fprintf(c.stdout, "  starts %s\n", a.StartsAt.In(cfg.Global.Location()).Format(time.RFC3339))
		if !a.EndsAt.IsZero() {
			fmt.Fprintf(c.stdout, "  ends %s\n", a.EndsAt.In(cfg.Global.Location()).Format(time.RFC3339))
		}
	}
	return nil
}

// pairs prints names and values in order, each on a line.
func (c *call) pairs(what string, pairs alert.Labels) {
	for _, name := range pairs.Names() {
		fmt.Fprintf(c.stdout, "  %s %s = %q\n", what, name, pairs[name])
	}
}

// load reads the configuration at path, or where it is found without one, and
// prints its warnings.
func (c *call) load(path string) (*config.Config, error) { return c.loadWith(path, config.Load) }

func (c *call) loadWith(path string, load func(string, config.Lookup) (*config.Config, []config.Problem, error)) (*config.Config, error) {
	if path == "" {
		var err error
		if path, err = config.Find(c.lookup); err != nil {
			return nil, err
		}
	}
	cfg, warnings, err := load(path, c.lookup)
	for _, w := range warnings {
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
	return cfg, err
}
