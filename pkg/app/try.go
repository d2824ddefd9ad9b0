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
	"tocsin/pkg/dispatch"
	"tocsin/pkg/intake"
	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/store/memory"
)

// Sent is one message of a notification that a person tries.
type Sent struct {
	// Channel is the integration, such as email/0.
	Channel string
	// Text is the message as its reader sees it, "" when it could not be made.
	Text string
	// Outcomes are what came back, one for each recipient or part; none when
	// nothing was sent.
	Outcomes []notify.Outcome
	// Err is why there is no message; ErrSilent when there should be none.
	Err error
}

// ErrSilent says that a channel is not told of alerts that are over.
var ErrSilent = errors.New("says nothing: send_resolved is false, and nothing fires")

// SendTest says a test alert through every channel of a receiver and passes each
// message, with what came back, to each. Nothing is stored and nothing is tried
// twice.
func SendTest(ctx context.Context, cfg *config.Config, o Options, receiver string, now time.Time, each func(Sent)) error {
	to, err := findReceiver(cfg, o, receiver)
	if err != nil {
		return err
	}
	messages(to, testNotification(cfg.Global.Language, receiver, now), func(s Sent, m notify.Message) {
		if s.Err == nil {
			s.Outcomes = m.Send(ctx)
		}
		each(s)
	})
	return nil
}

// Render passes each message that alerts, as one group, are to a receiver at now.
// Nothing is sent.
func Render(ctx context.Context, cfg *config.Config, o Options, receiver string, alerts []*alert.Alert, now time.Time, each func(Sent)) error {
	to, err := findReceiver(cfg, o, receiver)
	if err != nil {
		return err
	}
	a, err := forTrying(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer a.Close()
	n := a.engine.Preview(now, receiver, alerts)
	n.ID = "try-" + now.UTC().Format("20060102T150405Z")
	messages(to, n, func(s Sent, _ notify.Message) { each(s) })
	return nil
}

// Taken is an alert that a hook made of a message, and where it goes.
type Taken struct {
	*alert.Alert
	Receivers []string
}

// Sample returns the alerts that a hook makes of a message, or why it would
// refuse it. hook is its path below /hooks/. Nothing is stored.
func Sample(ctx context.Context, cfg *config.Config, o Options, hook string, message []byte, now time.Time) ([]Taken, error) {
	a, err := forTrying(ctx, cfg, o)
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
	taken := make([]Taken, len(alerts))
	for i, al := range alerts {
		taken[i] = Taken{al, a.engine.ReceiversOf(al.Labels)}
	}
	return taken, nil
}

// ReadAlerts reads alerts from a file that a person made: one alert or a list of
// them in the form of API v2, with `status` if need be, or the body of an
// Alertmanager's webhook.
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

// forTrying builds an App whose store is forgotten.
func forTrying(ctx context.Context, cfg *config.Config, o Options) (*App, error) {
	o.Shared = memory.New()
	return New(ctx, cfg, o)
}

// findReceiver builds the receivers and returns one of them.
func findReceiver(cfg *config.Config, o Options, name string) (*dispatch.Receiver, error) {
	templates, err := render.ParseTemplates(cfg.Templates...)
	if err != nil {
		return nil, err
	}
	receivers, err := buildReceivers(cfg, environment(cfg, o.client(), nil, o), nil, templates)
	if err != nil {
		return nil, err
	}
	for _, r := range receivers {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no receiver is named %q", name)
}

// messages makes those of a notification for every channel of a receiver.
func messages(to *dispatch.Receiver, n *alert.Notification, each func(Sent, notify.Message)) {
	for _, in := range to.Integrations {
		channel := fmt.Sprintf("%s/%d", in.Kind.Name, in.Index)
		told := *n
		if !in.SendResolved {
			told.Alerts = n.Firing()
		}
		if len(told.Alerts) == 0 {
			each(Sent{Channel: channel, Err: ErrSilent}, notify.Message{})
			continue
		}
		messages, err := in.Notifier.Messages(&told)
		if err != nil {
			each(Sent{Channel: channel, Err: err}, notify.Message{})
		}
		for _, m := range messages {
			each(Sent{Channel: channel, Text: m.Text}, m)
		}
	}
}

// testNotification is an alert that says that it is a test.
func testNotification(language, receiver string, now time.Time) *alert.Notification {
	summary := "This is a test. If you can read it, this channel works."
	if language == "zh" {
		summary = "这是一条测试消息，收到即说明该渠道可用。"
	}
	labels := alert.Labels{alert.NameLabel: alert.TestAlert, alert.SeverityLabel: alert.SeverityInfo, "receiver": receiver}
	return &alert.Notification{
		ID: "test-" + now.UTC().Format("20060102T150405.000000000Z"), GroupKey: "{}:{alertname=\"" + alert.TestAlert + "\"}",
		Receiver: receiver, Reason: "first notification", At: now, GroupLabels: alert.Labels{alert.NameLabel: alert.TestAlert},
		Alerts: []*alert.Alert{{Labels: labels, Annotations: alert.Labels{alert.SummaryAnnotation: summary}, StartsAt: now, UpdatedAt: now, Builtin: alert.BuiltinSummary}},
	}
}
