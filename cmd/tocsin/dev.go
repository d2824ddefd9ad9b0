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

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/smtp"
)

//go:embed dev.yaml
var devConfig []byte

// The demonstration: a consumer that reads devSlow messages a second of a topic
// into which devFlow are written, until its lag was told; then it reads devFast.
const (
	devTopic      = "order-created"
	devGroup      = "order-worker"
	devPartitions = 6
	devFlow       = 1500
	devSlow       = 300
	devFast       = 6000
	devStep       = 100 * time.Millisecond
	// devCalm is how long the consumer keeps up before it falls behind again. A
	// phone gets one message in 30 seconds.
	devCalm = 30 * time.Second
	// devPatience bounds one round.
	devPatience = 30 * time.Second
)

func dev(ctx context.Context, c *call) error {
	once := c.flags.Bool("once", false, "")
	listen := c.flags.String("listen", "127.0.0.1:9093", "")
	file := c.flags.String("config", "", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	cfg, err := devLoad(*file, c.lookup)
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	delivered := make(chan inbox.Entry, 100)
	box := inbox.New(func() time.Time { return time.Now().In(cfg.Global.Location()) }, func(e inbox.Entry) {
		select {
		case delivered <- e:
		default: // the page has it all the same
		}
	})
	cloud, err := localcloud.Start(ctx, localcloud.Options{Topics: map[string]int32{devTopic: devPartitions}, Mail: mailProvider(cfg, box)})
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := admit(cloud, cfg, box); err != nil {
		return err
	}

	server, err := app.NewServer(ctx, app.ServerOptions{
		Options: app.Options{
			Outside: app.Outside{Dial: cloud.Network.DialContext, RootCAs: cloud.Network.RootCAs()},
			Lookup:  func(string) (string, bool) { return "", false },
			Now:     time.Now,
			Log:     slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
			Store:   "memory:",
		},
		Load: func() (*config.Config, error) { return cfg, nil },
		Name: "dev", Address: *listen,
	})
	if err != nil {
		return err
	}
	var looping sync.WaitGroup
	looping.Go(func() { server.Loop(ctx) })
	defer func() {
		stop()
		looping.Wait()
		server.Close()
	}()

	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("the inbox cannot be shown: %w; choose another address with --listen", err)
	}
	paths := http.NewServeMux()
	paths.Handle("/", box)
	for _, path := range []string{"/api/", "/hooks/", "/agents/", "/-/", "/metrics"} {
		paths.Handle(path, server)
	}
	page := &http.Server{Handler: paths, ReadHeaderTimeout: 10 * time.Second}
	go page.Serve(l)
	defer page.Close()

	consumer, err := cloud.Kafka.Consumer(ctx, devGroup, devTopic)
	if err != nil {
		return err
	}
	defer consumer.Close()
	d := &demo{kafka: cloud.Kafka, consumer: consumer, delivered: delivered, out: c.stdout, location: cfg.Global.Location()}
	d.say("A Kafka at %s, and Tencent Cloud, WeCom and a mail provider beside it: all inside this program.", strings.Join(cloud.Kafka.Brokers(), ", "))
	d.say("What is delivered is shown here and at http://%s/", l.Addr())
	for {
		err := d.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case *once:
			return nil
		}
		d.say("\nAll is well for %v. Ctrl-C ends.", devCalm)
		if err := d.flow(ctx, time.Now().Add(devCalm), devFast, nil); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func devLoad(file string, lookup config.Lookup) (*config.Config, error) {
	if file == "" {
		cfg, _, err := config.Parse("dev.yaml", devConfig, lookup)
		return cfg, err
	}
	cfg, _, err := config.Load(file, lookup)
	if err == nil {
		// State of the local cloud must not get into a store for real use.
		cfg.Store.URL = "memory:"
	}
	return cfg, err
}

// mailProvider describes the provider with the account that the configuration
// logs in with.
func mailProvider(cfg *config.Config, box *inbox.Inbox) smtp.Config {
	mail := smtp.Config{Username: "tocsin@example.com", Password: "a-password-of-the-local-cloud", OnMail: box.Mail}
	for i := range cfg.Receivers {
		for _, e := range cfg.Receivers[i].Email {
			if e.AuthUsername != "" {
				mail.Username, mail.Password = e.AuthUsername, string(e.AuthPassword)
			}
		}
	}
	return mail
}

// demo is the story that dev tells.
type demo struct {
	kafka     *kafka.Kafka
	consumer  *kafka.Consumer
	delivered <-chan inbox.Entry
	out       io.Writer
	location  *time.Location
	shown     time.Time // of the last line about lag
}

// round lets the consumer fall behind until everybody was told, and catch up
// until everybody was told that it is over.
func (d *demo) round(ctx context.Context) error {
	d.say("\n%s reads %d messages a second of %s, into which %d are written.", devGroup, devSlow, devTopic, devFlow)
	told := func(channels ...string) func(inbox.Entry) bool {
		missing := map[string]bool{}
		for _, c := range channels {
			missing[c] = true
		}
		return func(e inbox.Entry) bool {
			delete(missing, e.Channel)
			return len(missing) == 0
		}
	}
	deadline := time.Now().Add(devPatience)
	if err := d.flow(ctx, deadline, devSlow, told(inbox.WeComGroup, inbox.ShortMessage, inbox.MailBox)); err != nil {
		return fmt.Errorf("while the consumer fell behind: %w", err)
	}
	d.say("\n%s gets help, and reads %d a second.", devGroup, devFast)
	if err := d.flow(ctx, deadline, devFast, told(inbox.WeComGroup, inbox.MailBox)); err != nil {
		return fmt.Errorf("while the consumer caught up: %w", err)
	}
	return nil
}

// flow writes and reads, and shows what is delivered, until done says so of a
// message or, without done, until the deadline.
func (d *demo) flow(ctx context.Context, deadline time.Time, pace int, done func(inbox.Entry) bool) error {
	step := time.NewTicker(devStep)
	defer step.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-d.delivered:
			d.show(e)
			if done != nil && done(e) {
				return nil
			}
		case now := <-step.C:
			if now.After(deadline) {
				if done != nil {
					return errors.New("not everybody was told in time")
				}
				return nil
			}
			if err := d.kafka.Produce(ctx, devTopic, devFlow/int(time.Second/devStep)); err != nil {
				return err
			}
			if _, err := d.consumer.Consume(ctx, pace/int(time.Second/devStep)); err != nil {
				return err
			}
			if err := d.showLag(ctx, now); err != nil {
				return err
			}
		}
	}
}

// showLag prints the lag once a second while there is any to speak of.
func (d *demo) showLag(ctx context.Context, now time.Time) error {
	if now.Sub(d.shown) < time.Second {
		return nil
	}
	topics, err := d.kafka.Offsets(ctx, devGroup)
	if err != nil {
		return err
	}
	var lag int64
	for _, t := range topics {
		for _, p := range t.Partitions {
			lag += p.End - max(p.Committed, 0)
		}
	}
	if lag > devFlow {
		d.say("%s  lag of %s in %s: %d", now.In(d.location).Format(time.TimeOnly), devGroup, devTopic, lag)
	}
	d.shown = now
	return nil
}

// show prints a message as its reader sees it.
func (d *demo) show(e inbox.Entry) {
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

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }
