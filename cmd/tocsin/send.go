package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
)

func newSendCommand(t *tool) *cobra.Command {
	var receiver string
	cmd := &cobra.Command{
		Use:   "send --receiver NAME",
		Short: "Send a test notification through a receiver",
		Long: "Sends a test notification through every channel of a receiver, and prints each message\n" +
			"and the channel's answer. With --url a running server sends it.",
		Example: "  tocsin send --receiver ops\n  tocsin send --receiver ops --url http://127.0.0.1:9093",
		Args:    exactArgs(0),
	}
	from := t.addSourceFlags(cmd)
	cmd.Flags().StringVar(&receiver, "receiver", "", "`name` of the receiver")
	t.completeFrom(cmd, "receiver", from.config, receiverNames)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if receiver == "" {
			return usagef("--receiver is missing")
		}
		return t.send(cmd.Context(), from, receiver)
	}
	return cmd
}

// sendTest sends a test notification through a receiver and calls each with every
// message.
func (t *tool) sendTest(ctx context.Context, from *source, receiver string, each func(api.TestMessage)) error {
	c, err := from.client()
	if err != nil {
		return err
	}
	if c != nil {
		var messages []api.TestMessage
		err := c.post(ctx, &messages, "receivers", receiver, "test")
		for _, m := range messages {
			each(m)
		}
		return err
	}
	cfg, err := from.load()
	if err != nil {
		return err
	}
	return app.SendTest(ctx, cfg, t.options(), receiver, time.Now(), each)
}

func (t *tool) send(ctx context.Context, from *source, receiver string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	accepted, failed := 0, 0
	err := t.sendTest(ctx, from, receiver, func(m api.TestMessage) {
		if m.Error != "" {
			failed++
		}
		t.printMessage(m.Channel, m.Text, m.Error)
		for _, o := range m.Outcomes {
			if o.Error != "" {
				failed++
				fmt.Fprintf(t.stdout, "  %s: failed: %s\n", o.Unit, o.Error)
			} else {
				accepted++
				fmt.Fprintf(t.stdout, "  %s: accepted\n", o.Unit)
			}
		}
	})
	switch {
	case err != nil:
		return err
	case failed > 0:
		return fmt.Errorf("not accepted: %d of %d", failed, accepted+failed)
	case accepted == 0:
		return fmt.Errorf("receiver %q has no channel", receiver)
	}
	return nil
}

func newRenderCommand(t *tool) *cobra.Command {
	var receiver, alerts string
	cmd := &cobra.Command{
		Use:     "render --receiver NAME --alert FILE",
		Short:   "Show a receiver's messages about alerts, without sending them",
		Long:    "Renders the messages that a receiver's channels would send about the alerts in a file.\nNothing is sent.",
		Example: "  tocsin render --receiver ops --alert firing.json",
		Args:    exactArgs(0),
	}
	file := addConfigFlag(cmd)
	cmd.Flags().StringVar(&receiver, "receiver", "", "`name` of the receiver")
	cmd.Flags().StringVar(&alerts, "alert", "", "`file` with alerts as JSON, in the form of API v2 or of Alertmanager's webhook; - for standard input")
	t.completeFrom(cmd, "receiver", file, receiverNames)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case receiver == "":
			return usagef("--receiver is missing")
		case alerts == "":
			return usagef("--alert is missing: a file with alerts as JSON, in the form of API v2 or of Alertmanager's webhook")
		}
		return t.render(cmd.Context(), *file, receiver, alerts)
	}
	return cmd
}

func (t *tool) render(ctx context.Context, file, receiver, alertsFile string) error {
	data, err := readFile(alertsFile)
	if err != nil {
		return err
	}
	now := time.Now()
	alerts, err := app.ReadAlerts(data, now)
	if err != nil {
		return fmt.Errorf("%s: %w", alertsFile, err)
	}
	cfg, err := t.load(file)
	if err != nil {
		return err
	}
	messages, failed := 0, 0
	err = app.Render(ctx, cfg, t.options(), receiver, alerts, now, func(s app.Sent) {
		messages++
		problem := ""
		if s.Err != nil {
			problem = s.Err.Error()
			if !errors.Is(s.Err, app.ErrSilent) {
				failed++
			}
		}
		t.printMessage(s.Channel, s.Text, problem)
	})
	switch {
	case err != nil:
		return err
	case failed > 0:
		return errors.New("a message could not be rendered")
	case messages == 0:
		return fmt.Errorf("receiver %q has no channel", receiver)
	}
	return nil
}
