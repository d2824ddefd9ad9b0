package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/app"
)

// send says a test alert through a receiver, and shows what was sent and what
// came back.
func send(ctx context.Context, c *call) error {
	receiver := c.flags.String("receiver", "", "")
	file := c.flags.String("config", "", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if *receiver == "" {
		return usagef("--receiver is missing")
	}
	cfg, err := c.load(*file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	sent, failed := 0, 0
	err = app.SendTest(ctx, cfg, c.options(), *receiver, time.Now(), func(s app.Sent) {
		if !c.show(s) {
			failed++
		}
		for _, o := range s.Outcomes {
			if o.Err != nil {
				failed++
				fmt.Fprintf(c.stdout, "  %s: failed: %v\n", o.Unit, o.Err)
			} else {
				sent++
				fmt.Fprintf(c.stdout, "  %s: accepted\n", o.Unit)
			}
		}
	})
	switch {
	case err != nil:
		return err
	case failed > 0:
		return fmt.Errorf("%d of %d were not accepted", failed, sent+failed)
	case sent == 0:
		return fmt.Errorf("receiver %q has no channel", *receiver)
	}
	return nil
}

// show prints a message as its reader sees it, or why there is none: false when
// there should be one.
func (c *call) show(s app.Sent) bool {
	fmt.Fprintf(c.stdout, "%s\n", s.Channel)
	if s.Err != nil {
		fmt.Fprintf(c.stdout, "  %v\n", s.Err)
		return errors.Is(s.Err, app.ErrSilent)
	}
	for line := range strings.Lines(strings.TrimSpace(s.Text)) {
		fmt.Fprintf(c.stdout, "  │ %s\n", strings.TrimRight(line, "\r\n"))
	}
	return true
}
