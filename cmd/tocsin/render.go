package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tocsin/pkg/app"
)

// renderAlerts shows what a receiver would be told of alerts from a file. Nothing
// is sent.
func renderAlerts(ctx context.Context, c *call) error {
	receiver := c.flags.String("receiver", "", "")
	from := c.flags.String("alert", "", "")
	file := c.flags.String("config", "", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	switch {
	case *receiver == "":
		return usagef("--receiver is missing")
	case *from == "":
		return usagef("--alert is missing: a file with alerts as JSON, as API v2 or a webhook of Alertmanager has them")
	}
	data, err := readFile(*from)
	if err != nil {
		return err
	}
	now := time.Now()
	alerts, err := app.ReadAlerts(data, now)
	if err != nil {
		return fmt.Errorf("%s: %w", *from, err)
	}
	cfg, err := c.load(*file)
	if err != nil {
		return err
	}
	shown, failed := 0, 0
	err = app.Render(ctx, cfg, c.options(), *receiver, alerts, now, func(s app.Sent) {
		shown++
		if !c.show(s) {
			failed++
		}
	})
	switch {
	case err != nil:
		return err
	case failed > 0:
		return errors.New("a message could not be made")
	case shown == 0:
		return fmt.Errorf("receiver %q has no channel", *receiver)
	}
	return nil
}

// maxFile bounds a file that a person gives, in bytes.
const maxFile = 32 << 20

// readFile reads a file of bounded size; "-" is the standard input.
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
