package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/smtp"
)

//go:embed dev.yaml
var devConfig []byte

// The demonstration produces demoProduceRate messages a second to a topic whose
// consumer reads only demoSlowRate, until the alert was notified; then the
// consumer reads demoFastRate.
const (
	demoTopic       = "order-created"
	demoGroup       = "order-worker"
	demoPartitions  = 6
	demoProduceRate = 1500
	demoSlowRate    = 300
	demoFastRate    = 6000
	demoStep        = 100 * time.Millisecond
	// demoPause is the time between two rounds. A phone gets at most one message
	// in 30 seconds.
	demoPause = 30 * time.Second
	// demoTimeout bounds one round.
	demoTimeout = 30 * time.Second
)

func newDevCommand(t *tool) *cobra.Command {
	var listen string
	var once bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Demonstrate everything on this machine, with a local cloud",
		Long: "Starts a local cloud with a Kafka in it, a producer that outruns its consumer, the timers, and\n" +
			"an inbox of the delivered messages. Nothing leaves this machine.",
		Example: "  tocsin dev\n  tocsin dev --once",
		Args:    exactArgs(0),
	}
	file := addConfigFlag(cmd)
	cmd.Flags().Lookup("config").Usage = "configuration `file` to demonstrate (default: a built-in one)"
	cmd.Flags().BoolVar(&once, "once", false, "exit after one round of firing and resolved")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9093", "`address` of the inbox")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return t.dev(cmd.Context(), *file, listen, once) }
	return cmd
}

func (t *tool) dev(ctx context.Context, file, listen string, once bool) error {
	cfg, err := t.loadDev(file)
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	delivered := make(chan inbox.Entry, 100)
	box := inbox.New(func() time.Time { return time.Now().In(cfg.Global.Location()) }, func(e inbox.Entry) {
		select {
		case delivered <- e:
		default: // the page shows it
		}
	})
	cloud, err := localcloud.Start(ctx, localcloud.Options{Topics: map[string]int32{demoTopic: demoPartitions}, Mail: mailProvider(cfg)})
	if err != nil {
		return err
	}
	defer cloud.Close()
	cloud.OnEntry(box.Add)
	if err := provisionFakes(cloud, cfg); err != nil {
		return err
	}

	server, err := app.NewServer(ctx, app.ServerOptions{
		Options: app.Options{
			Transport: app.Transport{Dial: cloud.Network.DialContext, RootCAs: cloud.Network.RootCAs()},
			Lookup:    func(string) (string, bool) { return "", false },
			Now:       time.Now,
			Log:       slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
			Store:     "memory:",
		},
		Load: func() (*config.Config, error) { return cfg, nil },
		Name: "dev", Address: listen,
	})
	if err != nil {
		return err
	}
	var loop sync.WaitGroup
	loop.Go(func() { server.Loop(ctx) })
	defer func() {
		stop()
		loop.Wait()
		server.Close()
	}()

	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen for the inbox: %w; choose another address with --listen", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", box)
	for _, path := range []string{"/api/", "/hooks/", "/agents/", "/-/", "/metrics"} {
		mux.Handle(path, server)
	}
	page := app.NewHTTPServer(mux)
	go func() { _ = page.Serve(l) }() // until Close
	defer page.Close()

	consumer, err := cloud.Kafka.Consumer(ctx, demoGroup, demoTopic)
	if err != nil {
		return err
	}
	defer consumer.Close()
	d := &demo{kafka: cloud.Kafka, consumer: consumer, delivered: delivered, out: t.stdout, location: cfg.Global.Location()}
	d.printf("A Kafka at %s, Tencent Cloud, WeCom and a mail provider run inside this program.", strings.Join(cloud.Kafka.Brokers(), ", "))
	d.printf("Delivered messages are printed here and shown at http://%s/", l.Addr())
	for {
		err := d.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case once:
			return nil
		}
		d.printf("\nThe consumer keeps up for %v. Ctrl-C ends.", demoPause)
		if err := d.run(ctx, time.Now().Add(demoPause), demoFastRate, nil); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// loadDev reads the configuration to demonstrate; without a file it is the built-in
// one.
func (t *tool) loadDev(file string) (*config.Config, error) {
	if file == "" {
		cfg, _, err := config.Parse("dev.yaml", devConfig, t.lookup)
		return cfg, err
	}
	cfg, _, err := config.Check(file, t.lookup)
	if err == nil {
		// The demonstration's state must not reach a store in real use.
		cfg.Store.URL = "memory:"
	}
	return cfg, err
}

// mailProvider configures the mail provider with the account that the
// configuration logs in with.
func mailProvider(cfg *config.Config) smtp.Config {
	mail := smtp.Config{Username: "tocsin@example.com", Password: "a-password-of-the-local-cloud"}
	for i := range cfg.Receivers {
		for _, e := range cfg.Receivers[i].Email {
			if e.AuthUsername != "" {
				mail.Username, mail.Password = e.AuthUsername, string(e.AuthPassword)
			}
		}
	}
	return mail
}

// demo drives the producer and the consumer, and prints the delivered messages.
type demo struct {
	kafka      *kafka.Kafka
	consumer   *kafka.Consumer
	delivered  <-chan inbox.Entry
	out        io.Writer
	location   *time.Location
	lagPrinted time.Time // when the lag was last printed
}

// round lets the consumer fall behind until every channel has delivered a firing
// message, and catch up until the channels that send resolved messages have.
func (d *demo) round(ctx context.Context) error {
	d.printf("\n%s reads %d messages a second of %s, to which %d a second are produced.", demoGroup, demoSlowRate, demoTopic, demoProduceRate)
	deadline := time.Now().Add(demoTimeout)
	if err := d.run(ctx, deadline, demoSlowRate, []string{inbox.WeComGroup, inbox.SMS, inbox.Email}); err != nil {
		return fmt.Errorf("while the consumer fell behind: %w", err)
	}
	d.printf("\n%s is given more workers and reads %d a second.", demoGroup, demoFastRate)
	if err := d.run(ctx, deadline, demoFastRate, []string{inbox.WeComGroup, inbox.Email}); err != nil {
		return fmt.Errorf("while the consumer caught up: %w", err)
	}
	return nil
}

// run produces and consumes messages, and prints the delivered ones, until each of the
// channels has delivered one; without channels, until the deadline.
func (d *demo) run(ctx context.Context, deadline time.Time, consumeRate int, channels []string) error {
	missing := map[string]bool{}
	for _, c := range channels {
		missing[c] = true
	}
	step := time.NewTicker(demoStep)
	defer step.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-d.delivered:
			d.print(e)
			delete(missing, e.Channel)
			if len(channels) > 0 && len(missing) == 0 {
				return nil
			}
		case now := <-step.C:
			if now.After(deadline) {
				if len(missing) > 0 {
					return errors.New("not every channel delivered a message in time")
				}
				return nil
			}
			if err := d.kafka.Produce(ctx, demoTopic, demoProduceRate/int(time.Second/demoStep)); err != nil {
				return err
			}
			if _, err := d.consumer.Consume(ctx, consumeRate/int(time.Second/demoStep)); err != nil {
				return err
			}
			if err := d.printLag(ctx, now); err != nil {
				return err
			}
		}
	}
}

// printLag prints the lag once a second while it is considerable.
func (d *demo) printLag(ctx context.Context, now time.Time) error {
	if now.Sub(d.lagPrinted) < time.Second {
		return nil
	}
	topics, err := d.kafka.Offsets(ctx, demoGroup)
	if err != nil {
		return err
	}
	var lag int64
	for _, t := range topics {
		for _, p := range t.Partitions {
			lag += p.End - max(p.Committed, 0)
		}
	}
	if lag > demoProduceRate {
		d.printf("%s  lag of %s in %s: %d", now.In(d.location).Format(time.TimeOnly), demoGroup, demoTopic, lag)
	}
	d.lagPrinted = now
	return nil
}

// print prints a message as its reader sees it.
func (d *demo) print(e inbox.Entry) {
	head := e.Channel
	if e.To != "" {
		head += " · " + e.To
	}
	fmt.Fprintf(d.out, "\n┌─ %s · %s\n", head, e.At.Format(time.TimeOnly))
	if e.Title != "" {
		fmt.Fprintf(d.out, "│ %s\n│\n", e.Title)
	}
	for line := range strings.Lines(strings.TrimSpace(e.Text)) {
		fmt.Fprintf(d.out, "│ %s\n", strings.TrimRight(line, "\r\n"))
	}
	fmt.Fprintln(d.out, "└─")
}

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }
