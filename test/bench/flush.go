package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// flush measures how long after their group_wait 10,000 alerts in 100 groups
// have all been said to a webhook.
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
	return []row{{"10,000 alerts in 100 groups said, from the end of their group_wait, on bolt", took["tocsin"].String(),
		"Alertmanager: " + took["alertmanager"].String(), ratio(took["tocsin"].median(), took["alertmanager"].median()), ""}}, nil
}

func (b *bench) flushOnce(ctx context.Context, binary string, wait time.Duration, run int) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	heard := make(chan int, 10_000)
	hook := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Alerts []struct{} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		heard <- len(body.Alerts)
	})}
	go hook.Serve(l)
	defer hook.Close()
	config, err := b.write("flush.yml", fmt.Sprintf(`
route: {receiver: hook, group_by: [alertname], group_wait: %s, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: hook, webhook_configs: [{url: "http://%s/"}]}]
`, wait, l.Addr()))
	if err != nil {
		return 0, err
	}
	s, err := serve(b.binary(binary), config, filepath.Join(b.work, fmt.Sprintf("flush-%s-%d", binary, run)))
	if err != nil {
		return 0, err
	}
	defer s.stop()
	due := time.Now().Add(wait)
	const alerts = 10_000
	if _, err := s.post(ctx, 1, bodies(alerts, 1000), 0); err != nil {
		return 0, err
	}
	for n := 0; n < alerts; {
		select {
		case some := <-heard:
			n += some
		case <-time.After(30 * time.Second):
			return 0, fmt.Errorf("%s said %d of %d alerts", binary, n, alerts)
		}
	}
	return time.Since(due), nil
}
