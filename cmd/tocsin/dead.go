package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tocsin/pkg/app"
)

func newDeadCommand(t *tool) *cobra.Command {
	var resend string
	cmd := &cobra.Command{
		Use:     "dead",
		Short:   "List dead letters, or send them again",
		Long:    "Lists the notifications that no channel accepted. With --resend they are put back into the\nqueue, and the next tick sends them.",
		Example: "  tocsin dead\n  tocsin dead --resend all",
		Args:    exactArgs(0),
	}
	file := addConfigFlag(cmd)
	cmd.Flags().StringVar(&resend, "resend", "", "`id` of the dead letter to send again, or all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return t.dead(cmd.Context(), *file, resend) }
	return cmd
}

func (t *tool) dead(ctx context.Context, file, resend string) error {
	cfg, err := t.load(file)
	if err != nil {
		return err
	}
	if cfg.Store.URL == "" {
		return errors.New("the configuration names no store: dead letters are in the store of the process that delivers")
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	a, err := app.New(ctx, cfg, t.options())
	if err != nil {
		return err
	}
	defer a.Close()
	letters, err := a.DeadLetters(ctx)
	if err != nil {
		return err
	}
	if resend != "" {
		n := 0
		for _, l := range letters {
			if resend == "all" || resend == l.ID {
				if err := a.Resend(ctx, time.Now(), l.ID); err != nil {
					return err
				}
				n++
			}
		}
		if n == 0 {
			return fmt.Errorf("no dead letter has the id %q", resend)
		}
		fmt.Fprintf(t.stdout, "%d put back into the queue: the next tick sends them\n", n)
		return nil
	}
	tw := newTable("ID", "SINCE", "RECEIVER", "CHANNEL", "ALERTS", "CAUSE")
	for _, l := range letters {
		tw.AppendRow(table.Row{l.ID, l.Time.In(cfg.Global.Location()).Format(time.DateTime), l.Receiver, l.Channel, l.Alerts, l.Cause})
	}
	printTable(t.stdout, tw)
	return nil
}
