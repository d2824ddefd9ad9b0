// Package dispatch decides who must hear what, and sees to it that they do:
// Alertmanager's routing, grouping and de-duplication on state that lives in a
// store. Alerts are taken in by Ingest; Tick says what is due. Both may run on
// any number of instances, and be killed after any instruction.
//
// What is kept, by kind of key:
//
//	alert/FINGERPRINT        an alert and the groups that hold it
//	group/GROUP              a group's header, due when it is next flushed
//	member/GROUP/FINGERPRINT the alerts of a group
//	log/GROUP/INTEGRATION    what an integration was last told of a group
//	source/RULE/VALUES/FINGERPRINT  the alerts that inhibit others
//	silence/ID               a silence
//	owed/ID                  a notification that must be delivered, due when it is next tried
//	pace/TARGET              what a target was sent lately
//	meta/tick                when the last tick was
//	meta/inhibit_rules       whose sources are kept
//	dead/ID                  a notification that nobody could take
//
// An item that cannot be read, because a newer version wrote it or something
// spoiled it, is logged and keeps nothing else from being said: a silence or a
// source keeps nobody quiet, an alert is replaced by the next word about it, a
// group is worked out from its alerts, a log is begun anew, and what is owed is
// put off.
//
// Every kind goes away by itself: alerts, logs, paces, silences and dead letters
// expire, and the rest is deleted when its time is over.
package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/store"
)

// Kinds of keys; a kind is also the queue in which its keys are due.
const (
	kindGroup   = "group"
	kindPending = "owed"
)

// Receiver is a name in the routing tree and the integrations behind it.
type Receiver struct {
	Name         string
	Integrations []Integration
	// Fallback names the receiver that gets what this one cannot take, "" for
	// none; it gets it FallbackAfter after the first attempt, or at once when
	// the fault is permanent.
	Fallback      string
	FallbackAfter time.Duration
}

// Integration is one configured channel of a receiver.
type Integration struct {
	Kind notify.Kind
	// Index counts the integrations of one kind within a receiver.
	Index int
	// SendResolved is whether the end of an alert is told.
	SendResolved bool
	Notifier     notify.Notifier
}

// Engine is the dispatcher. It holds no state of its own but the calls that wait.
type Engine struct {
	store         store.Store
	route         *Route
	receivers     map[string]*Receiver
	inhibition    inhibitRules
	inhibitSynced atomic.Bool // whether the sources in the store are those of the rules
	intervals     intervals
	style         render.Style
	quotaWindows  map[string]time.Duration // how long what was sent counts, by kind of channel
	metrics       *metrics.Notifications
	retention     time.Duration
	upstream      bool
	log           *slog.Logger
	batcher       *batcher
}

// Config is what an engine decides by. Its parts have passed their Validate.
type Config struct {
	Route         *RouteConfig
	Receivers     []*Receiver
	InhibitRules  []InhibitRule
	TimeIntervals []TimeInterval
	// Templates are what the templates in route labels may refer to, and
	// ExternalURL is what they see by that name.
	Templates   *render.Templates
	ExternalURL string
	// Metrics, if set, counts what becomes of notifications.
	Metrics *metrics.Notifications
	// Retention is how long a silence can be seen after its end; default 120h, as
	// that of Alertmanager's --data.retention.
	Retention time.Duration
	// Upstream restores what Alertmanager does where Tocsin does better:
	// a repetition comes one group_interval late when repeat_interval is a
	// multiple of it, and an alert that ends while it is kept quiet is never
	// announced as over.
	Upstream bool
}

// New returns an engine that works on s. Every receiver that the tree or
// another receiver names must be among the receivers.
func New(s store.Store, c Config, log *slog.Logger) (*Engine, error) {
	e := &Engine{
		store: s, receivers: make(map[string]*Receiver, len(c.Receivers)), intervals: newIntervals(c.TimeIntervals),
		style: render.Style{ExternalURL: c.ExternalURL}, quotaWindows: longestQuotaWindows(c.Receivers), metrics: c.Metrics,
		retention: cmp.Or(c.Retention, defaultRetention), upstream: c.Upstream, log: log, batcher: newBatcher(),
	}
	var err error
	if e.route, err = newRoute(c.Route); err != nil {
		return nil, err
	}
	if err = e.route.compileLabels(c.Templates); err != nil {
		return nil, err
	}
	if e.inhibition, err = newInhibition(c.InhibitRules); err != nil {
		return nil, err
	}
	for _, r := range c.Receivers {
		e.receivers[r.Name] = r
		for _, in := range r.Integrations {
			e.metrics.InitIntegration(in.Kind.Name)
		}
	}
	for _, r := range c.Receivers {
		if _, ok := e.receivers[r.Fallback]; !ok && r.Fallback != "" {
			return nil, fmt.Errorf("receiver %q: its fallback %q does not exist", r.Name, r.Fallback)
		}
	}
	return e, e.checkReceivers(e.route)
}

func (e *Engine) checkReceivers(r *Route) error {
	if _, ok := e.receivers[r.Receiver]; !ok {
		return fmt.Errorf("route %s: its receiver %q does not exist", r.ID, r.Receiver)
	}
	for _, child := range r.routes {
		if err := e.checkReceivers(child); err != nil {
			return err
		}
	}
	return nil
}

// Summary tells what a tick did.
type Summary struct {
	// Sent counts the messages that channels accepted.
	Sent int
	// Owed counts the notifications that still wait to be delivered.
	Pending int
}

// Tick flushes the groups that are due at now and delivers what is owed. It
// stops taking work in time before ctx's deadline; what it leaves is still due
// at the next tick. An error means that the store failed, not a channel: what
// channels refuse is retried, handed to a fallback or kept.
func (e *Engine) Tick(ctx context.Context, now time.Time) (Summary, error) {
	start, send, cancel := budget(ctx)
	defer cancel()
	var sum Summary
	var done delivered
	var err error
	for more := true; more && err == nil; {
		var held []*leased
		held, more, err = e.flushDue(ctx, start, now)
		if len(held) > 0 {
			said, failed := e.deliver(ctx, start, send, now, held)
			done.add(said)
			err = errors.Join(err, failed)
		}
	}
	if err == nil {
		var said delivered
		said, err = e.deliverDue(ctx, start, send, now)
		done.add(said)
	}
	sum.Sent = done.sent
	if err != nil {
		return sum, fmt.Errorf("say what is due: %w", err)
	}
	owed, err := e.store.List(ctx, kindPending+"/", "", countLimit)
	if err != nil {
		return sum, fmt.Errorf("count what is owed: %w", err)
	}
	sum.Pending = len(owed)
	e.metrics.SetPending(sum.Pending)
	sum.Sent += e.sendOptional(start, send, now, done.extra)
	return sum, nil
}

// countLimit bounds how many owed notifications a tick counts.
const countLimit = 1000

// Next returns when the next tick has something to do, zero for never.
func (e *Engine) NextDue(ctx context.Context) (time.Time, error) {
	return e.store.NextDue(ctx, kindGroup, kindPending)
}

// budget derives two contexts from the deadline that ctx has, if any: work may
// be started until the first is done and must have ended when the second is.
// What then remains of ctx is for writing down what happened.
func budget(ctx context.Context) (start, send context.Context, cancel func()) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, ctx, func() {}
	}
	// The deadline is the platform's, in real time, whatever the tick's now is.
	left := time.Until(deadline)
	send, cancelSend := context.WithDeadline(ctx, deadline.Add(-min(left/10, time.Second)))
	start, cancelStart := context.WithDeadline(ctx, deadline.Add(-min(left/4, 10*time.Second)))
	return start, send, func() { cancelStart(); cancelSend() }
}

// conflictTries is how often a write that another instance forestalled is
// decided anew.
const conflictTries = 16

// settled runs decide until its write is not forestalled.
func retryOnConflict(ctx context.Context, decide func() error) error {
	for range conflictTries {
		err := decide()
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("forestalled by other instances %d times: %w", conflictTries, store.ErrConflict)
}
