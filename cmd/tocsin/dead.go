package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"tocsin/pkg/app"
)

// dead lists what nobody could take, or owes one of it, or all, again.
func dead(ctx context.Context, c *call) error {
	file := c.flags.String("config", "", "")
	resend := c.flags.String("resend", "", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	cfg, err := c.load(*file)
	if err != nil {
		return err
	}
	if cfg.Store.URL == "" {
		return fmt.Errorf("the configuration names no store: dead letters are in the store of the process that delivers")
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	a, err := app.New(ctx, cfg, c.options())
	if err != nil {
		return err
	}
	defer a.Close()
	letters, err := a.DeadLetters(ctx)
	if err != nil {
		return err
	}
	if *resend != "" {
		n := 0
		for _, l := range letters {
			if *resend == "all" || *resend == l.ID {
				if err := a.Resend(ctx, time.Now(), l.ID); err != nil {
					return err
				}
				n++
			}
		}
		if n == 0 {
			return fmt.Errorf("no dead letter has the id %q", *resend)
		}
		fmt.Fprintf(c.stdout, "%d owed again: the next tick sends it\n", n)
		return nil
	}
	t := plainTable("ID", "SINCE", "RECEIVER", "CHANNEL", "ALERTS", "CAUSE")
	for _, l := range letters {
		t.AppendRow(table.Row{l.ID, l.Since.In(cfg.Global.Location()).Format(time.DateTime), l.Receiver, l.Channel, len(l.Alerts), l.Cause})
	}
	printTable(c.stdout, t)
	return nil
}
