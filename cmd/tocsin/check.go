package main

import (
	"context"
	"fmt"

	"tocsin/pkg/config"
)

// checkConfig finds everything that is wrong with a configuration. Warnings do
// not fail it.
func checkConfig(_ context.Context, c *call) error {
	if err := c.parse(1, 1); err != nil {
		return err
	}
	cfg, warnings, err := config.Check(c.flags.Arg(0), c.lookup)
	for _, w := range warnings {
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "ok")
	for _, line := range cfg.Summary() {
		fmt.Fprintln(c.stdout, "  "+line)
	}
	return nil
}

// load reads the configuration at path, or where it is found without one, and
// prints its warnings.
func (c *call) load(path string) (*config.Config, error) {
	if path == "" {
		var err error
		if path, err = config.Find(c.lookup); err != nil {
			return nil, err
		}
	}
	cfg, warnings, err := config.Load(path, c.lookup)
	for _, w := range warnings {
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
	return cfg, err
}
