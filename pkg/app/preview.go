package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/api"
	"tocsin/pkg/config"
	"tocsin/pkg/intake"
	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/render"
	"tocsin/pkg/store/memory"
)

// Sent is one message of a previewed notification.
type Sent struct {
	// Channel is the integration, such as email/0.
	Channel string
	// Text is the message as its reader sees it, "" if it could not be rendered.
	Text string
	// Err is set if there is no message; ErrSilent if none is due.
	Err error
}

// ErrSilent is the error of a channel that sends nothing about resolved alerts.
var ErrSilent = errors.New("no message: send_resolved is false, and no alert is firing")

// SendTest sends a test alert through every channel of a receiver and calls each
// with every message and its outcomes. Nothing is stored or retried.
func SendTest(ctx context.Context, cfg *config.Config, o Options, receiver string, now time.Time, each func(api.TestMessage)) error {
	to, err := findReceiver(cfg, o, receiver)
	if err != nil {
		return err
	}
	sendTest(ctx, to, cfg.Global.Language, now, each)
	return nil
}

// sendTest is SendTest with the receivers of the App.
func (a *App) sendTest(ctx context.Context, receiver string, now time.Time, each func(api.TestMessage)) error {
	to := a.engine.Outbox().Receiver(receiver)
	if to == nil {
		return noReceiver(receiver)
	}
	sendTest(ctx, to, a.config.Global.Language, now, each)
	return nil
}

func sendTest(ctx context.Context, to *outbox.Receiver, language string, now time.Time, each func(api.TestMessage)) {
	eachMessage(to, testNotification(language, to.Name, now), func(s Sent, m notify.Message) {
		message := api.TestMessage{Channel: s.Channel, Text: s.Text, Outcomes: []api.TestOutcome{}}
		if s.Err != nil {
			message.Error = s.Err.Error()
			each(message)
			return
		}
		for _, o := range m.Send(ctx) {
			outcome := api.TestOutcome{Unit: o.Unit}
			if o.Err != nil {
				outcome.Error = o.Err.Error()
			}
			message.Outcomes = append(message.Outcomes, outcome)
		}
		each(message)
	})
}

func noReceiver(name string) error { return api.NotFoundf("no receiver is named %q", name) }

// Render calls each with every message that a receiver's channels would send about
// alerts, as one group, at now. Nothing is sent.
func Render(ctx context.Context, cfg *config.Config, o Options, receiver string, alerts []*alert.Alert, now time.Time, each func(Sent)) error {
	to, err := findReceiver(cfg, o, receiver)
	if err != nil {
		return err
	}
	a, err := newInMemory(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer a.Close()
	n := a.engine.Preview(now, receiver, alerts)
	n.ID = "try-" + now.UTC().Format("20060102T150405Z")
	eachMessage(to, n, func(s Sent, _ notify.Message) { each(s) })
	return nil
}

// SampleAlert is an alert that a hook decoded, with its receivers.
type SampleAlert struct {
	*alert.Alert
	Receivers []string
}

// Sample returns the alerts that a hook decodes from a message, or the error that
// it would answer. hook is the path below /hooks/. Nothing is stored.
func Sample(ctx context.Context, cfg *config.Config, o Options, hook string, message []byte, now time.Time) ([]SampleAlert, error) {
	a, err := newInMemory(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	alerts, err := api.DecodeSample(ctx, api.Options{
		Engine: a.engine, Now: func() time.Time { return now }, Log: o.Log, Metrics: new(metrics.Registry), HTTP: a.http,
		ResolveTimeout: cfg.Global.ResolveTimeout.Std(), Webhook: cfg.Webhook, Zone: cfg.Global.Location(),
	}, hook, message)
	if err != nil {
		return nil, err
	}
	samples := make([]SampleAlert, len(alerts))
	for i, al := range alerts {
		samples[i] = SampleAlert{al, a.engine.ReceiversOf(al.Labels)}
	}
	return samples, nil
}

// ReadAlerts parses the alerts of a file: one alert or a list of alerts in the form
// of API v2, optionally with `status`, or the body of an Alertmanager webhook.
func ReadAlerts(data []byte, now time.Time) ([]*alert.Alert, error) {
	in := intake.Input{Body: data, Media: intake.JSON, Now: now}
	var webhook struct {
		Alerts json.RawMessage `json:"alerts"`
	}
	decode := intake.Decoder(intake.Alertmanager)
	if json.Unmarshal(data, &webhook) != nil || webhook.Alerts == nil {
		var err error
		if decode, err = intake.NewGeneric(intake.GenericConfig{Name: "alert", Alerts: "{{ .Body | toJson }}"}); err != nil {
			return nil, err
		}
	}
	out, err := decode(in)
	if err == nil && len(out.Alerts) == 0 {
		err = errors.New("there is no alert in it")
	}
	return out.Alerts, err
}

// newInMemory builds an App with an empty store in memory.
func newInMemory(ctx context.Context, cfg *config.Config, o Options) (*App, error) {
	o.Shared = memory.New()
	return New(ctx, cfg, o)
}

// findReceiver builds the receivers and returns the named one.
func findReceiver(cfg *config.Config, o Options, name string) (*outbox.Receiver, error) {
	templates, err := render.ParseTemplates(cfg.Templates...)
	if err != nil {
		return nil, err
	}
	receivers, err := buildReceivers(cfg, newEnv(cfg, o.client(), nil, o), nil, templates)
	if err != nil {
		return nil, err
	}
	for _, r := range receivers {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, noReceiver(name)
}

// eachMessage calls each with every message about n of a receiver's channels.
func eachMessage(to *outbox.Receiver, n *alert.Notification, each func(Sent, notify.Message)) {
	for _, in := range to.Integrations {
		channel := fmt.Sprintf("%s/%d", in.Kind.Name, in.Index)
		own := *n
		if !in.SendResolved {
			own.Alerts = n.Firing()
		}
		if len(own.Alerts) == 0 {
			each(Sent{Channel: channel, Err: ErrSilent}, notify.Message{})
			continue
		}
		messages, err := in.Notifier.Messages(&own)
		if err != nil {
			each(Sent{Channel: channel, Err: err}, notify.Message{})
		}
		for _, m := range messages {
			each(Sent{Channel: channel, Text: m.Text}, m)
		}
	}
}

// testNotification returns a notification about one alert that is named a test.
func testNotification(language, receiver string, now time.Time) *alert.Notification {
	summary := "This is a test. If you can read it, this channel works."
	if language == "zh" {
		summary = "这是一条测试消息，收到即说明该渠道可用。"
	}
	labels := alert.Labels{alert.NameLabel: alert.TestAlert, alert.SeverityLabel: alert.SeverityInfo, "receiver": receiver}
	return &alert.Notification{
		ID: "test-" + now.UTC().Format("20060102T150405.000000000Z"), GroupKey: "{}:{alertname=\"" + alert.TestAlert + "\"}",
		Receiver: receiver, Reason: alert.ReasonFirst, At: now, GroupLabels: alert.Labels{alert.NameLabel: alert.TestAlert},
		Alerts: []*alert.Alert{{Labels: labels, Annotations: alert.Labels{alert.SummaryAnnotation: summary}, StartsAt: now, UpdatedAt: now, Builtin: alert.BuiltinSummary}},
	}
}
