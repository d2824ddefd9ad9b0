package app

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/alert"
	"tocsin/pkg/config"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/lag"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/store/backend"
)

// ClusterLag is one cluster's lag as of now.
type ClusterLag struct {
	Name  string
	Lines []lag.Line
	// Err is why the cluster could not be read.
	Err error
}

// LagNow reads the clusters of which wanted says so, and tells how they stand
// against the rules. What is pending or firing is taken from the store, when
// that can be opened beside whoever else holds it.
func LagNow(ctx context.Context, cfg *config.Config, o Options, now time.Time, wanted func(cluster string) bool) ([]ClusterLag, error) {
	readers, err := buildReaders(cfg, o.client(), o)
	if err != nil {
		return nil, err
	}
	states := loadStates(ctx, cfg, o)
	var clusters []ClusterLag
	for _, c := range cfg.Lag.Clusters {
		if wanted(c.Name) {
			clusters = append(clusters, ClusterLag{Name: c.Name})
		}
	}
	var reads errgroup.Group
	for i := range clusters {
		reads.Go(func() error {
			c := &clusters[i]
			snap, err := readers[c.Name].Read(ctx)
			if c.Err = err; err == nil {
				c.Lines = lag.Table(&cfg.Lag, c.Name, snap, states[c.Name], now)
			}
			return nil
		})
	}
	return clusters, reads.Wait()
}

// loadStates reads what the last poll remembered, as far as it can.
func loadStates(ctx context.Context, cfg *config.Config, o Options) map[string]*lag.State {
	if cfg.Store.URL == "" {
		return nil
	}
	st, err := backend.Open(ctx, string(cfg.Store.URL))
	if err != nil {
		o.Log.Warn("the store cannot be read: what is pending or firing is judged anew", "err", err)
		return nil
	}
	defer st.Close()
	states := map[string]*lag.State{}
	for _, c := range cfg.Lag.Clusters {
		if states[c.Name], err = lag.LoadState(ctx, st, c.Name); err != nil {
			o.Log.Warn("a cluster's state cannot be read: it is judged anew", "err", err)
		}
	}
	return states
}

// Sent is one message of a test notification.
type Sent struct {
	// Channel is the integration, such as email/0.
	Channel string
	// Text is the message as its reader sees it, "" when it could not be made.
	Text string
	// Outcomes are what came back, one for each recipient or part.
	Outcomes []notify.Outcome
}

// SendTest says a test alert through every channel of a receiver and passes each
// message, with what came back, to each. Nothing is stored and nothing is tried
// twice.
func SendTest(ctx context.Context, cfg *config.Config, o Options, receiver string, now time.Time, each func(Sent)) error {
	templates, err := render.ParseTemplates(cfg.Templates...)
	if err != nil {
		return err
	}
	receivers, err := buildReceivers(cfg, environment(cfg, o.client(), o), templates)
	if err != nil {
		return err
	}
	var to *dispatch.Receiver
	for _, r := range receivers {
		if r.Name == receiver {
			to = r
		}
	}
	if to == nil {
		return fmt.Errorf("no receiver is named %q", receiver)
	}
	n := testNotification(cfg.Global.Language, receiver, now)
	for _, in := range to.Integrations {
		channel := fmt.Sprintf("%s/%d", in.Kind.Name, in.Index)
		messages, err := in.Notifier.Messages(n)
		if err != nil {
			each(Sent{Channel: channel, Outcomes: notify.Outcomes([]string{""}, err)})
			continue
		}
		for _, m := range messages {
			each(Sent{Channel: channel, Text: m.Text, Outcomes: m.Send(ctx)})
		}
	}
	return nil
}

// testNotification is an alert that says that it is a test.
func testNotification(language, receiver string, now time.Time) *alert.Notification {
	summary := "This is a test. If you can read it, this channel works."
	if language == "zh" {
		summary = "这是一条测试消息，收到即说明该渠道可用。"
	}
	labels := alert.Labels{alert.NameLabel: "TocsinTest", alert.SeverityLabel: "info", "receiver": receiver}
	return &alert.Notification{
		ID: "test-" + now.UTC().Format("20060102T150405.000000000Z"), GroupKey: "{}:{alertname=\"TocsinTest\"}",
		Receiver: receiver, Reason: "first notification", At: now, GroupLabels: alert.Labels{alert.NameLabel: "TocsinTest"},
		Alerts: []*alert.Alert{{Labels: labels, Annotations: alert.Labels{"summary": summary}, StartsAt: now, UpdatedAt: now}},
	}
}
