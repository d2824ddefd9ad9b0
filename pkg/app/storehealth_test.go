package app_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tocsin/pkg/config"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/redis/redistest"
)

// TestUnreadableItems has one item of each kind that this version cannot decode, as if a
// newer one had written it. Alerts are received and notified as usual; readiness and the
// metrics report the item.
func TestUnreadableItems(t *testing.T) {
	text := strings.Replace(configuration, "route:\n", `hosts: {hosts: [{id: web-1, name: web-1}]}
inhibit_rules: [{source_matchers: [severity="critical"], target_matchers: [alertname="DiskFull"], equal: [cluster]}]
route:
`, 1)
	for _, test := range []struct {
		key        string
		due, reads bool // it is due; it is decoded in this test
	}{
		{"alert/0123456789abcdef", false, true},
		{"group/00000000000000000000000000000000", true, true},
		{"member/00000000000000000000000000000000/0123456789abcdef", false, false},
		{"log/00000000000000000000000000000000/x", false, false},
		{"source/0/0/1/0123456789abcdef", false, true},
		{"silence/6f1f5b3e-0000-4000-8000-000000000000", false, true},
		{"owed/0-0", true, true},
		{"pace/0", false, false},
		{"dead/0-0", false, false},
		{"meta/tick", false, false},
		{"meta/inhibit_rules", false, true},
		{"meta/silences", false, false},
		{"meta/host_check", false, true},
		{"host/web-1", true, true},
		{"host_value/web-1/LinuxCPU", false, false},
		{"host_over/web-1/LinuxCPU", false, true},
		{"host_offline/web-1", false, true},
		{"lag/orders", false, true},
		{"lagtrend/orders/0000", false, true},
		{"channel/x/shut", false, false},
		{"part/0", false, false},
		{"peer/other", false, true},
	} {
		t.Run(test.key, func(t *testing.T) {
			ta := newTestApp(t)
			ta.stop()
			ta.setLag(nil)
			addUndecodable(t, ta.path+".served", test.key, test.due)
			messages := make(chan wecom.Message, 10)
			ta.cloud.WeCom.OnMessage(func(m wecom.Message) { messages <- m })
			_, call, stop := ta.serve(func() (*config.Config, error) {
				cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
				return cfg, err
			})
			defer ta.start() // for the cleanup
			defer stop()
			call("POST", "/api/v2/alerts", `[{"labels":{"alertname":"DiskFull","cluster":"c1"}}]`)
			for notified := false; !notified; {
				select {
				case m := <-messages:
					notified = strings.Contains(m.Content, "DiskFull")
				case <-time.After(10 * time.Second):
					t.Fatalf("got no message about DiskFull, want one\n%s", ta.logs)
				}
			}
			call("GET", "/api/v2/status", "")
			call("GET", "/metrics", "")
			ready := call("GET", "/-/ready", "")
			for end := time.Now().Add(10 * time.Second); test.reads && ready == "OK" && time.Now().Before(end); {
				ready = call("GET", "/-/ready", "") // the first polls run alongside
			}
			metrics := call("GET", "/metrics", "")
			if !strings.HasPrefix(ready, "OK") || strings.Contains(ready, "set aside: 1") != test.reads {
				t.Errorf("got %q from /-/ready, want OK and a note: %v", ready, test.reads)
			}
			kind := store.Kind(test.key)
			if got := strings.Contains(metrics, `tocsin_store_unreadable_items_total{kind="`+kind+`"} 1`); got != test.reads {
				t.Errorf("got the item in the metrics: %v, want %v", got, test.reads)
			}
			if logs := ta.logs.String(); strings.Contains(logs, test.key) != test.reads || strings.Contains(logs, "round failed") {
				t.Errorf("got logs\n%s\nwant %s in them: %v, and no failed round", logs, test.key, test.reads)
			}
		})
	}
}

// TestReadiness has a server whose Redis is away and comes back.
func TestReadiness(t *testing.T) {
	redis := redistest.Start(t)
	s := newServer(t.Context(), t, minimalConfiguration, redis.URL(), nil)
	defer s.Close()
	want := func(path string, code int, text string) {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9093"+path, nil))
		if w.Code != code || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: got %d %q, want %d with %q", path, w.Code, w.Body, code, text)
		}
	}
	want("/-/ready", 200, "OK")
	want("/metrics", 200, "\ntocsin_store_writable 1\n")
	redis.Kill()
	want("/-/ready", 503, "the store cannot be read")
	want("/-/healthy", 200, "OK")
	redis.Restart()
	want("/-/ready", 200, "OK")
}

const minimalConfiguration = `
route: {receiver: hook}
receivers: [{name: hook, webhook_configs: [{url: "http://hooks.example.com/"}]}]
`

// addUndecodable stores an item in a format that this version does not know.
func addUndecodable(t *testing.T, path, key string, due bool) {
	t.Helper()
	s, err := bolt.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c := store.Change{Key: key, Value: []byte("{}")}
	if due {
		c.Due = t0
	}
	if err := s.Commit(t.Context(), t0, c); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		items := tx.Bucket([]byte("items"))
		raw := append([]byte(nil), items.Get([]byte(key))...)
		raw[0]++ // the format
		return items.Put([]byte(key), raw)
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
