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
)

// theirs is what prometheus-webhook-dingtalk answers in a second on two shared
// cores, by clients and alerts a request: it keeps nothing, and waits for the
// robot.
var theirs = map[[2]int]float64{{1, 1}: 1500, {16, 1}: 3000, {16, 50}: 608}

// hooks measures how many messages of an Alertmanager a second are taken in by
// the hook: stored on bolt, and said to a robot. Each brings alerts that are new,
// in a group of their own.
func (b *bench) hooks(ctx context.Context) ([]row, error) {
	var rows []row
	for _, c := range []struct {
		clients, alerts int
		robot           time.Duration
	}{{1, 1, 0}, {16, 1, 0}, {16, 50, 0}, {16, 1, 50 * time.Millisecond}} {
		perSecond, p99, said, err := b.hooksOnce(ctx, c.clients, c.alerts, c.robot)
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("hook: %d clients, %d alerts a request", c.clients, c.alerts)
		beside, limit := theirs[[2]int{c.clients, c.alerts}], 2.0
		if c.robot > 0 {
			what += fmt.Sprintf(", robot takes %v", c.robot)
			beside = 290
		}
		rows = append(rows, row{what + ": requests a second", fmt.Sprintf("%.0f, p99 %s, %d said meanwhile", perSecond, ms(p99), said),
			fmt.Sprintf("prometheus-webhook-dingtalk: %.0f", beside), fmt.Sprintf("%.1f", perSecond/beside), fmt.Sprintf("aim: %.0f", limit)})
	}
	return rows, nil
}

func (b *bench) hooksOnce(ctx context.Context, clients, alerts int, takes time.Duration) (perSecond float64, p99 time.Duration, said int64, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, 0, err
	}
	var messages atomic.Int64
	robot := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(takes)
		io.Copy(io.Discard, r.Body)
		messages.Add(1)
	})}
	go robot.Serve(l)
	defer robot.Close()
	config, err := b.write("hooks.yml", fmt.Sprintf(`
route: {receiver: robot, group_by: [request], group_wait: 0s, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: robot, webhook_configs: [{url: "http://%s/"}]}]
`, l.Addr()))
	if err != nil {
		return 0, 0, 0, err
	}
	s, err := serve(b.binary("tocsin"), config, filepath.Join(b.work, fmt.Sprintf("hooks-%d-%d-%v", clients, alerts, takes)))
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
	var wait sync.WaitGroup
	var failed error
	for range clients {
		wait.Go(func() {
			for time.Now().Before(end) {
				body := bytes.ReplaceAll(form, []byte(requestMark), strconv.AppendInt(nil, next.Add(1), 10))
				begin := time.Now()
				resp, err := client.Post(s.url+"/hooks/alertmanager", "application/json", bytes.NewReader(body))
				if err == nil {
					answer, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						err = fmt.Errorf("%s: %s", resp.Status, answer)
					}
				}
				mu.Lock()
				took, failed = append(took, time.Since(begin)), err
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	if failed != nil {
		return 0, 0, 0, failed
	}
	slices.Sort(took)
	return float64(len(took)) / d.Seconds(), took[len(took)*99/100], messages.Load(), nil
}

// requestMark stands for the number of the request in a message.
const requestMark = "REQUEST"

// hookBody is a message as an Alertmanager posts it.
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
			Annotations: map[string]string{"summary": "something is not as it should be", "description": "the value is 96.2, which is too much"},
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
