package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/backend"
)

// counted is a store that counts what is asked of it.
type counted struct {
	store.Store
	operations int
}

func (c *counted) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.operations++
	return c.Store.Get(ctx, keys...)
}

func (c *counted) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	c.operations++
	return c.Store.List(ctx, prefix, after, limit)
}

func (c *counted) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	c.operations++
	return c.Store.Due(ctx, kind, now, limit)
}

func (c *counted) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.operations++
	return c.Store.Commit(ctx, now, changes...)
}

// standing is an engine on bolt with n alerts in 100 groups, none of them due
// for an hour.
func (b *bench) standing(ctx context.Context, n int) (*dispatch.Engine, *counted, error) {
	s, err := backend.Open(ctx, "bolt:"+filepath.Join(b.work, fmt.Sprintf("standing-%d", n)))
	if err != nil {
		return nil, nil, err
	}
	hour := setting.Duration(time.Hour)
	c := &counted{Store: s}
	e, err := dispatch.New(c, dispatch.Config{
		Route:     &route.Config{Receiver: "nobody", GroupBy: []string{"alertname"}, GroupWait: &hour, GroupInterval: &hour, RepeatInterval: &hour},
		Receivers: []*outbox.Receiver{{Name: "nobody"}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return e, c, e.Ingest(ctx, time.Now(), some(n))
}

// some are n alerts of 100 names.
func some(n int) []*alert.Alert {
	now := time.Now()
	alerts := make([]*alert.Alert, n)
	for i := range alerts {
		alerts[i] = &alert.Alert{Labels: alert.Labels{"alertname": fmt.Sprintf("Alert%02d", i%100), "instance": fmt.Sprint(i), "job": "node"},
			Annotations: alert.Labels{"summary": "something is not as it should be"}, StartsAt: now}
	}
	return alerts
}

// quietTick measures a tick that finds nothing due, with few alerts stored and
// with many, and what an alert costs the store.
func (b *bench) quietTick(ctx context.Context) ([]row, error) {
	tick := func(n int) (sample, error) {
		e, _, err := b.standing(ctx, n)
		if err != nil {
			return nil, err
		}
		var took sample
		for range 1000 {
			begin := time.Now()
			if _, err := e.Tick(ctx, begin); err != nil {
				return nil, err
			}
			took = append(took, time.Since(begin))
		}
		return took, nil
	}
	few, err := tick(1_000)
	if err != nil {
		return nil, err
	}
	many, err := tick(100_000)
	if err != nil {
		return nil, err
	}
	rows := []row{{"tick with nothing due, of 100,000 stored", us(many.median()), "of 1,000: " + us(few.median()),
		ratio(many.median(), few.median()), "1.2"}}

	e, c, err := b.standing(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, of := range []struct {
		what   string
		alerts []*alert.Alert
	}{{"100 new alerts in 100 groups", some(100)}, {"the same again", some(100)}, {"1,000 more in the same groups", some(1100)[100:]}} {
		c.operations = 0
		if err := e.Ingest(ctx, time.Now(), of.alerts); err != nil {
			return nil, err
		}
		rows = append(rows, row{"store operations: " + of.what, fmt.Sprint(c.operations), "Get, Get, Commit: 3", ratio(c.operations, 3), "1.00"})
	}
	return rows, nil
}

func us(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond)) }

// memory measures what a server holds when 100,000 alerts stand.
func (b *bench) memory(ctx context.Context) ([]row, error) {
	config, err := b.write("silent.yml", silentConfig)
	if err != nil {
		return nil, err
	}
	held := map[string]int64{}
	for _, binary := range []string{"tocsin", "alertmanager"} {
		s, err := serve(b.binary(binary), config, filepath.Join(b.work, "memory-"+binary))
		if err != nil {
			return nil, err
		}
		_, err = s.post(ctx, 4, bodies(100_000, 1000), 0)
		if err == nil {
			held[binary], err = memoryOf(s.cmd.Process.Pid, "VmRSS")
		}
		s.stop()
		if err != nil {
			return nil, err
		}
	}
	return []row{{"memory with 100,000 alerts standing, on bolt", mb(held["tocsin"]), "Alertmanager: " + mb(held["alertmanager"]),
		ratio(held["tocsin"], held["alertmanager"]), ""}}, nil
}

func mb(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }
