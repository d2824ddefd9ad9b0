package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/metrics"
	"tocsin/pkg/outbox"
	"tocsin/pkg/render"
	"tocsin/pkg/route"
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Engine is the dispatcher. Its state is in the store; the only thing in memory is
// the batch of concurrent calls of Ingest. It is safe for concurrent use.
type Engine struct {
	store     store.Store
	root      *route.Route
	intervals route.Intervals
	silences  *silence.Silences
	inhibitor *inhibit.Inhibitor
	outbox    *outbox.Outbox
	style     render.Style
	metrics   *metrics.Notifications
	upstream  bool
	// inhibitRules is the number of configured rules.
	inhibitRules int
	log          *slog.Logger
	logs         *notificationLogs
	intake       *intakeRecorder
	batcher      *batcher
}

// Config configures an Engine. Its parts have passed their Validate.
type Config struct {
	Route         *route.Config
	Receivers     []*outbox.Receiver
	InhibitRules  []inhibit.Rule
	TimeIntervals []route.TimeInterval
	// Templates are those that the templates in route labels may use, and
	// ExternalURL is their .ExternalURL.
	Templates   *render.Templates
	ExternalURL string
	// Metrics counts notifications; nil counts nothing.
	Metrics *metrics.Notifications
	// Retention is how long an expired silence is kept; default 120h, as
	// Alertmanager's --data.retention.
	Retention time.Duration
	// MaxSilences and MaxSilenceSizeBytes are those of silence.Limits.
	MaxSilences, MaxSilenceSizeBytes int
	// Upstream restores Alertmanager's behavior where Tocsin's differs: a repetition
	// is one group_interval late if repeat_interval is a multiple of it, and an alert
	// that resolves while it is muted is never notified as resolved.
	Upstream bool
}

// New returns an engine on st. Every receiver that a route or another receiver
// names must be among the receivers.
func New(st store.Store, c Config, log *slog.Logger) (*Engine, error) {
	e := &Engine{
		store: st, intervals: route.NewIntervals(c.TimeIntervals), silences: silence.New(st, c.Retention, silence.Limits{MaxSilences: c.MaxSilences, MaxSilenceSizeBytes: c.MaxSilenceSizeBytes}, log),
		style: render.Style{ExternalURL: c.ExternalURL}, metrics: c.Metrics, upstream: c.Upstream, inhibitRules: len(c.InhibitRules), log: log,
	}
	var err error
	if e.root, err = route.New(c.Route, c.Templates); err != nil {
		return nil, err
	}
	if e.inhibitor, err = inhibit.New(st, c.InhibitRules, log); err != nil {
		return nil, err
	}
	e.logs = &notificationLogs{store: st, root: e.root, log: log}
	e.intake = &intakeRecorder{st, log, e.correctDue}
	e.batcher = newBatcher((&ingester{st, e.root, e.inhibitor, e.logs, e.intake, log}).batch)
	refused := &refusals{st, e.root, e.logs, e.mutesAt, log}
	if e.outbox, err = outbox.New(st, outbox.Config{
		Receivers: c.Receivers, RemovedReceiverFallback: e.root.Receiver, Current: refused.current, Accepted: refused.recordAccepted, Metrics: c.Metrics,
	}, log); err != nil {
		return nil, err
	}
	e.logs.outbox = e.outbox // which calls refused, and through it the logs, later only
	for r := range e.root.All() {
		if e.outbox.Receiver(r.Receiver) == nil {
			return nil, fmt.Errorf("route %s: its receiver %q does not exist", r.Key, r.Receiver)
		}
	}
	return e, nil
}

// Silences returns the engine's silences.
func (e *Engine) Silences() *silence.Silences { return e.silences }

// Outbox returns the engine's outbox, for its receivers and dead letters.
func (e *Engine) Outbox() *outbox.Outbox { return e.outbox }

// Summary is the result of a tick.
type Summary struct {
	// Sent counts the messages that channels accepted.
	Sent int
	// Pending counts the outbox entries that are still to be delivered.
	Pending int
}

// Tick flushes the groups that are due at now and delivers the notifications that
// are. It stops starting work in time before ctx's deadline; the rest is due at the
// next tick. An error is the store's: failures of channels are retried,
// handed to a fallback or kept as dead letters.
func (e *Engine) Tick(ctx context.Context, now time.Time) (sum Summary, err error) {
	budget := outbox.NewBudget(ctx)
	run := e.outbox.NewRun(ctx, budget, now)
	err = e.FlushDue(ctx, budget, now, func() bool { run.Start(); return true })
	var deliverErr error
	sum.Sent, deliverErr = run.Finish()
	if err = errors.Join(err, deliverErr); err != nil {
		return sum, fmt.Errorf("flush groups and deliver notifications: %w", err)
	}
	sum.Pending, err = e.outbox.Pending(ctx)
	return sum, err
}

// NextDue returns when the next tick has work to do, or zero for never.
func (e *Engine) NextDue(ctx context.Context) (time.Time, error) {
	return e.store.NextDue(ctx, groupQueue, outbox.Queue)
}

// NextFlush returns when the next group is due, or zero for never.
func (e *Engine) NextFlush(ctx context.Context) (time.Time, error) {
	return e.store.NextDue(ctx, groupQueue)
}

// groupQueue is the kind of keys whose due times are those of groups.
var groupQueue = store.Kind(keyspace.Group)
