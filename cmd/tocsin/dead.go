package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
)

func newDeadCommand(t *tool) *cobra.Command {
	var resend string
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "List dead letters, or send them again",
		Long: "Lists the notifications that no channel accepted. With --resend they are put back into the\n" +
			"queue, and the next tick sends them. While tocsin serve holds a bolt file, ask it with --url.",
		Example: "  tocsin dead --url http://127.0.0.1:9093\n  tocsin dead --resend all",
		Args:    exactArgs(0),
	}
	from := t.addSourceFlags(cmd)
	cmd.Flags().StringVar(&resend, "resend", "", "`id` of the dead letter to send again, or all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), commandTimeout)
		defer cancel()
		letters, err := t.openDeadLetters(ctx, from)
		if err != nil {
			return err
		}
		defer letters.close()
		if resend != "" {
			return t.resend(ctx, letters, resend)
		}
		return t.listDead(ctx, letters)
	}
	return cmd
}

// deadLetters are the dead letters of a store or a server.
type deadLetters struct {
	list   func(context.Context) ([]api.DeadLetter, error)
	resend func(ctx context.Context, id string) error
	close  func()
	zone   *time.Location
}

func (t *tool) openDeadLetters(ctx context.Context, from *source) (deadLetters, error) {
	c, err := from.client()
	if err != nil {
		return deadLetters{}, err
	}
	if c != nil {
		return deadLetters{
			list: func(ctx context.Context) (letters []api.DeadLetter, err error) {
				return letters, c.get(ctx, &letters, nil, "dead")
			},
			resend: func(ctx context.Context, id string) error { return c.post(ctx, &struct{}{}, "dead", id, "resend") },
			close:  func() {}, zone: time.Local,
		}, nil
	}
	cfg, err := from.load()
	if err != nil {
		return deadLetters{}, err
	}
	if cfg.Store.URL == "" {
		return deadLetters{}, fmt.Errorf("the configuration names no store: dead letters are in that of the process that delivers, such as tocsin serve; ask it: %s", from.serverCommand(cfg))
	}
	a, err := app.New(ctx, cfg, t.options())
	if err != nil {
		return deadLetters{}, from.explainInUse(cfg, err)
	}
	return deadLetters{
		list:   a.DeadLetters,
		resend: func(ctx context.Context, id string) error { return a.Resend(ctx, time.Now(), id) },
		close:  func() { a.Close() }, zone: cfg.Global.Location(),
	}, nil
}

func (t *tool) resend(ctx context.Context, d deadLetters, id string) error {
	ids := []string{id}
	if id == "all" {
		letters, err := d.list(ctx)
		if err != nil {
			return err
		}
		ids = nil
		for _, l := range letters {
			ids = append(ids, l.ID)
		}
	}
	for n, id := range ids {
		if err := d.resend(ctx, id); err != nil {
			return fmt.Errorf("dead letter %q: %w (%d of %d were put back into the queue)", id, err, n, len(ids))
		}
	}
	fmt.Fprintf(t.stdout, "%d put back into the queue: the next tick sends them\n", len(ids))
	return nil
}

func (t *tool) listDead(ctx context.Context, d deadLetters) error {
	letters, err := d.list(ctx)
	if err != nil {
		return err
	}
	tw := newTable("ID", "SINCE", "RECEIVER", "CHANNEL", "ALERTS", "CAUSE")
	for _, l := range letters {
		tw.AppendRow(table.Row{l.ID, l.Time.In(d.zone).Format(time.DateTime), l.Receiver, l.Channel, l.Alerts, l.Cause})
	}
	printTable(t.stdout, tw)
	return nil
}
