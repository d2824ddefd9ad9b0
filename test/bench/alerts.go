package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// silentConfig takes alerts in, in a hundred groups, and says nothing of them.
const silentConfig = `
route: {receiver: nobody, group_by: [alertname], group_wait: 1h, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: nobody}]
`

// accept measures how many alerts a second are taken in from 16 clients. There
// are 10,000 of them, said again and again as Prometheus does.
func (b *bench) accept(ctx context.Context) ([]row, error) {
	plain, err := b.write("silent.yml", silentConfig)
	if err != nil {
		return nil, err
	}
	onRedis, err := b.write("silent-redis.yml", silentConfig+"store: {url: \""+b.redis+"\"}\n")
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, batch := range []int{1, 100, 1000} {
		perSecond := func(binary, config string) (float64, error) {
			s, err := serve(binary, config, filepath.Join(b.work, fmt.Sprintf("%s-%d", filepath.Base(config), batch)))
			if err != nil {
				return 0, err
			}
			defer s.stop()
			all := bodies(10_000, batch)
			if _, err := s.post(ctx, 16, all, 0); err != nil { // all of them are new once
				return 0, err
			}
			const d = 3 * time.Second
			n, err := s.post(ctx, 16, all, d)
			return float64(n*batch) / d.Seconds(), err
		}
		theirs, err := perSecond(b.binary("alertmanager"), plain)
		if err != nil {
			return nil, err
		}
		for _, store := range []struct{ name, config string }{{"bolt", plain}, {"Redis", onRedis}} {
			ours, err := perSecond(b.binary("tocsin"), store.config)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row{fmt.Sprintf("alerts taken in a second, %d a request, on %s", batch, store.name), fmt.Sprintf("%.0f", ours),
				fmt.Sprintf("Alertmanager, in memory: %.0f", theirs), fmt.Sprintf("%.2f", ours/theirs), ""})
		}
	}
	return rows, nil
}
