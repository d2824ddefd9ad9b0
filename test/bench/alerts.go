package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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

// silentConfig groups alerts and sends no notifications.
const silentConfig = `
route: {receiver: none, group_by: [alertname], group_wait: 1h, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: none}]
`

// accept measures how many alerts per second are accepted from 16 clients. The
// same 10,000 alerts are sent repeatedly, as Prometheus does.
func (b *bench) accept(ctx context.Context) ([]row, error) {
	plain, err := b.writeConfig("silent.yml", silentConfig)
	if err != nil {
		return nil, err
	}
	onRedis, err := b.writeConfig("silent-redis.yml", silentConfig+"store: {url: \""+b.redis+"\"}\n")
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, batch := range []int{1, 100, 1000} {
		perSecond := func(binary, config string) (float64, error) {
			s, err := startServer(binary, config, filepath.Join(b.work, fmt.Sprintf("%s-%d", filepath.Base(config), batch)))
			if err != nil {
				return 0, err
			}
			defer s.stop()
			requests := alertRequests(10_000, batch)
			if _, err := s.post(ctx, 16, requests, 0); err != nil { // so that they are not new any more
				return 0, err
			}
			const d = 3 * time.Second
			n, err := s.post(ctx, 16, requests, d)
			return float64(n*batch) / d.Seconds(), err
		}
		alertmanager, err := perSecond(b.binary("alertmanager"), plain)
		if err != nil {
			return nil, err
		}
		for _, store := range []struct{ name, config string }{{"bolt", plain}, {"Redis", onRedis}} {
			tocsin, err := perSecond(b.binary("tocsin"), store.config)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row{fmt.Sprintf("alerts accepted per second (higher is better), %d per request, on %s", batch, store.name), fmt.Sprintf("%.0f", tocsin),
				fmt.Sprintf("Alertmanager, in memory: %.0f", alertmanager), fmt.Sprintf("%.2f", tocsin/alertmanager), ""})
		}
	}
	return rows, nil
}

// flush measures how long after their group_wait 10,000 alerts in 100 groups
// have all been sent to a webhook.
func (b *bench) flush(ctx context.Context) ([]row, error) {
	const wait = 2 * time.Second
	took := map[string]sample{}
	for range 5 {
		for _, binary := range []string{"tocsin", "alertmanager"} {
			d, err := b.flushOnce(ctx, binary, wait, len(took[binary]))
			if err != nil {
				return nil, err
			}
			took[binary] = append(took[binary], d)
		}
	}
	return []row{{"end of group_wait to delivery of 10,000 alerts in 100 groups, on bolt", took["tocsin"].String(),
		"Alertmanager: " + took["alertmanager"].String(), ratio(took["tocsin"].median(), took["alertmanager"].median()), ""}}, nil
}

func (b *bench) flushOnce(ctx context.Context, binary string, wait time.Duration, run int) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	delivered := make(chan int, 10_000)
	hook := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Alerts []struct{} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		delivered <- len(body.Alerts)
	})}
	go hook.Serve(l)
	defer hook.Close()
	config, err := b.writeConfig("flush.yml", fmt.Sprintf(`
route: {receiver: hook, group_by: [alertname], group_wait: %s, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: hook, webhook_configs: [{url: "http://%s/"}]}]
`, wait, l.Addr()))
	if err != nil {
		return 0, err
	}
	s, err := startServer(b.binary(binary), config, filepath.Join(b.work, fmt.Sprintf("flush-%s-%d", binary, run)))
	if err != nil {
		return 0, err
	}
	defer s.stop()
	due := time.Now().Add(wait)
	const alerts = 10_000
	if _, err := s.post(ctx, 1, alertRequests(alerts, 1000), 0); err != nil {
		return 0, err
	}
	for n := 0; n < alerts; {
		select {
		case count := <-delivered:
			n += count
		case <-time.After(30 * time.Second):
			return 0, fmt.Errorf("%s delivered %d of %d alerts", binary, n, alerts)
		}
	}
	return time.Since(due), nil
}

// countingStore counts the operations of a store.
type countingStore struct {
	store.Store
	operations int
}

func (c *countingStore) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.operations++
	return c.Store.Get(ctx, keys...)
}

func (c *countingStore) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	c.operations++
	return c.Store.List(ctx, prefix, after, limit)
}

func (c *countingStore) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	c.operations++
	return c.Store.Due(ctx, kind, now, limit)
}

func (c *countingStore) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.operations++
	return c.Store.Commit(ctx, now, changes...)
}

// newEngine returns an engine on bolt with n alerts in 100 groups, none of them
// due for an hour.
func (b *bench) newEngine(ctx context.Context, n int) (*dispatch.Engine, *countingStore, error) {
	s, err := backend.Open(ctx, "bolt:"+filepath.Join(b.work, fmt.Sprintf("standing-%d", n)))
	if err != nil {
		return nil, nil, err
	}
	hour := setting.Duration(time.Hour)
	c := &countingStore{Store: s}
	e, err := dispatch.New(c, dispatch.Config{
		Route:     &route.Config{Receiver: "none", GroupBy: []string{"alertname"}, GroupWait: &hour, GroupInterval: &hour, RepeatInterval: &hour},
		Receivers: []*outbox.Receiver{{Name: "none"}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return e, c, e.Ingest(ctx, time.Now(), newAlerts(n))
}

// newAlerts returns n alerts with 100 different names.
func newAlerts(n int) []*alert.Alert {
	now := time.Now()
	alerts := make([]*alert.Alert, n)
	for i := range alerts {
		alerts[i] = &alert.Alert{Labels: alert.Labels{"alertname": fmt.Sprintf("Alert%02d", i%100), "instance": fmt.Sprint(i), "job": "node"},
			Annotations: alert.Labels{"summary": "the disk is almost full"}, StartsAt: now}
	}
	return alerts
}

// quietTick measures a tick without anything due, with few and with many stored
// alerts, and the store operations of ingestion.
func (b *bench) quietTick(ctx context.Context) ([]row, error) {
	tick := func(n int) (sample, error) {
		e, _, err := b.newEngine(ctx, n)
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
	rows := []row{{"tick with nothing due, 100,000 alerts stored", micros(many.median()), "1,000 stored: " + micros(few.median()),
		ratio(many.median(), few.median()), "1.2"}}

	e, counting, err := b.newEngine(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name   string
		alerts []*alert.Alert
	}{{"100 new alerts in 100 groups", newAlerts(100)}, {"the same alerts again", newAlerts(100)}, {"1,000 more in the same groups", newAlerts(1100)[100:]}} {
		counting.operations = 0
		if err := e.Ingest(ctx, time.Now(), c.alerts); err != nil {
			return nil, err
		}
		rows = append(rows, row{"store operations to ingest " + c.name, fmt.Sprint(counting.operations), "Get, Get, Commit: 3", ratio(counting.operations, 3), "1.00"})
	}
	return rows, nil
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

// memory measures the memory of a server with 100,000 firing alerts.
func (b *bench) memory(ctx context.Context) ([]row, error) {
	config, err := b.writeConfig("silent.yml", silentConfig)
	if err != nil {
		return nil, err
	}
	memory := map[string]int64{}
	for _, binary := range []string{"tocsin", "alertmanager"} {
		s, err := startServer(b.binary(binary), config, filepath.Join(b.work, "memory-"+binary))
		if err != nil {
			return nil, err
		}
		_, err = s.post(ctx, 4, alertRequests(100_000, 1000), 0)
		if err == nil {
			memory[binary], err = processMemory(s.cmd.Process.Pid, "VmRSS")
		}
		s.stop()
		if err != nil {
			return nil, err
		}
	}
	return []row{{"memory with 100,000 firing alerts, on bolt", megabytes(memory["tocsin"]), "Alertmanager: " + megabytes(memory["alertmanager"]),
		ratio(memory["tocsin"], memory["alertmanager"]), ""}}, nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }
