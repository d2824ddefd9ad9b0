package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// prometheusWebhookDingtalk is how many requests per second
// prometheus-webhook-dingtalk processes on two shared cores, by clients and
// alerts per request. It stores nothing and waits for the robot.
var prometheusWebhookDingtalk = map[[2]int]float64{{1, 1}: 1500, {16, 1}: 3000, {16, 50}: 608}

// hooks measures how many requests per second of an Alertmanager are accepted
// by its hook, which stores the alerts on bolt; they are then sent to a robot.
// Each request has new alerts in a group of their own.
func (b *bench) hooks(ctx context.Context) ([]row, error) {
	var rows []row
	for _, c := range []struct {
		clients, alerts int
		robot           time.Duration
	}{{1, 1, 0}, {16, 1, 0}, {16, 50, 0}, {16, 1, 50 * time.Millisecond}} {
		perSecond, p99, sent, err := b.hooksOnce(ctx, c.clients, c.alerts, c.robot)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("hook requests per second (higher is better): %d clients, %d alerts per request", c.clients, c.alerts)
		baseline, goal := prometheusWebhookDingtalk[[2]int{c.clients, c.alerts}], 2.0
		if c.robot > 0 {
			name += fmt.Sprintf(", robot takes %v", c.robot)
			baseline = 290
		}
		rows = append(rows, row{name, fmt.Sprintf("%.0f (p99 %s, %d messages sent meanwhile)", perSecond, millis(p99), sent),
			fmt.Sprintf("prometheus-webhook-dingtalk: %.0f", baseline), fmt.Sprintf("%.1f", perSecond/baseline), fmt.Sprintf("goal: at least %.0f", goal)})
	}
	return rows, nil
}

func (b *bench) hooksOnce(ctx context.Context, clients, alerts int, robotDelay time.Duration) (perSecond float64, p99 time.Duration, sent int64, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, 0, err
	}
	var messages atomic.Int64
	robot := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(robotDelay)
		io.Copy(io.Discard, r.Body)
		messages.Add(1)
	})}
	go robot.Serve(l)
	defer robot.Close()
	config, err := b.writeConfig("hooks.yml", fmt.Sprintf(`
route: {receiver: robot, group_by: [request], group_wait: 0s, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: robot, webhook_configs: [{url: "http://%s/"}]}]
`, l.Addr()))
	if err != nil {
		return 0, 0, 0, err
	}
	s, err := startServer(b.binary("tocsin"), config, filepath.Join(b.work, fmt.Sprintf("hooks-%d-%d-%v", clients, alerts, robotDelay)))
	if err != nil {
		return 0, 0, 0, err
	}
	defer s.stop()

	const d = 3 * time.Second
	end := time.Now().Add(d)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	form := hookBody(alerts)
	var next atomic.Int64
	var mu sync.Mutex
	var took sample
	var g errgroup.Group
	for range clients {
		g.Go(func() error {
			for time.Now().Before(end) {
				body := bytes.ReplaceAll(form, []byte(requestMark), strconv.AppendInt(nil, next.Add(1), 10))
				begin := time.Now()
				if err := postJSON(ctx, client, s.url+"/hooks/alertmanager", body); err != nil {
					return err
				}
				mu.Lock()
				took = append(took, time.Since(begin))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, 0, 0, err
	}
	slices.Sort(took)
	return float64(len(took)) / d.Seconds(), took[len(took)*99/100], messages.Load(), nil
}

// requestMark is the placeholder for the number of the request in a body.
const requestMark = "REQUEST"

// hookBody returns a request body as Alertmanager sends it.
func hookBody(alerts int) []byte {
	type posted struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Starts      time.Time         `json:"startsAt"`
		Generator   string            `json:"generatorURL"`
		Fingerprint string            `json:"fingerprint"`
	}
	var all []posted
	for i := range alerts {
		all = append(all, posted{
			Status: "firing", Starts: time.Now(), Generator: "http://prometheus.example.com/graph?g0.expr=up&g0.tab=1", Fingerprint: strconv.Itoa(i),
			Labels:      map[string]string{"alertname": "DiskFull", "request": requestMark, "instance": fmt.Sprintf("10.0.0.%d:9100", i), "severity": "warning"},
			Annotations: map[string]string{"summary": "the disk is almost full", "description": "96.2 % of the disk is used"},
		})
	}
	body, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "tocsin", "truncatedAlerts": 0, "externalURL": "http://am.example.com",
		"groupLabels": map[string]string{}, "commonLabels": map[string]string{}, "commonAnnotations": map[string]string{}, "alerts": all,
	})
	if err != nil {
		panic(err)
	}
	return body
}
