package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/metrics"
)

// TestLagForPrograms checks that the lag for programs is read when it is asked for, has
// the state of the rules from the store, and is read once for many requests.
func TestLagForPrograms(t *testing.T) {
	ta := newTestApp(t)
	ta.poll(at(0))
	now := at(60)
	h, err := app.Handler(ta.app, api.Options{Now: func() time.Time { return now }, Metrics: new(metrics.Registry)})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (status int, body string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/api/tocsin/v1/"+path, nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	expectRows := func(path, want string) {
		t.Helper()
		status, body := get(path)
		var rows []struct {
			Topic string
			Lag   *int64
			State string
			Rule  string
			Error string
		}
		if err := json.Unmarshal([]byte(body), &rows); status != 200 || err != nil {
			t.Fatalf("GET %s: got %d %s, want 200 and rows", path, status, body)
		}
		got := ""
		for _, r := range rows {
			lag := "unknown"
			if r.Lag != nil {
				lag = fmt.Sprint(*r.Lag)
			}
			got += strings.TrimSpace(fmt.Sprint(r.Topic, " ", lag, " ", r.State, " ", r.Rule)) + ";"
			if strings.Contains(r.Error, "cloud-secret-key") || (r.Error != "") != (r.Topic == "") {
				t.Errorf("got error %q of topic %q, want one of the cluster, without secrets", r.Error, r.Topic)
			}
		}
		if got != want {
			t.Errorf("GET %s: got %s, want %s", path, got, want)
		}
	}

	var reads atomic.Int32
	ta.cloud.Tencent.Inject(tencentcloud.Fault{Action: "DescribeGroup", Times: 1000, Do: func(_ http.ResponseWriter, _ *http.Request, next func()) {
		reads.Add(1)
		next()
	}})
	var requests sync.WaitGroup
	for range 20 {
		requests.Go(func() { get("lag") })
	}
	requests.Wait()
	ta.setLag(map[string]int64{"paid": 10})
	expectRows("lag?cluster=orders", "paid 5000 firing KafkaConsumerLag;")
	if n := reads.Load(); n != 1 {
		t.Errorf("got %d reads for all requests, want 1", n)
	}
	now = now.Add(5 * time.Second)
	expectRows("lag", "paid 10 ok KafkaConsumerLag;")
	now = at(-60) // the rows of a clock that was ahead are not kept
	ta.setLag(map[string]int64{"paid": 11})
	expectRows("lag", "paid 11 ok KafkaConsumerLag;")

	if status, body := get("lag?cluster=other"); status != 404 || !strings.Contains(body, `\"other\"`) {
		t.Errorf("another cluster: got %d %s, want 404 with its name", status, body)
	}
	history := "lag/history?cluster=orders&group=order-worker&topic="
	if status, body := get(history + "paid"); status != 200 || body != `{"step":60,"from":"2026-11-20T15:00:00Z","values":[5000]}` {
		t.Errorf("history: got %d %s, want that of the poll of the lag function", status, body)
	}
	if status, body := get(history + "other"); status != 200 || body != `{"step":0,"from":null,"values":[]}` {
		t.Errorf("history of another topic: got %d %s, want none", status, body)
	}

	ta.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "another"})
	now = at(120)
	expectRows("lag", "unknown unknown;")

	ta.stop() // the store is out of reach
	now = at(180)
	for _, path := range []string{"lag", history + "paid", "dead"} {
		if status, body := get(path); status != 503 {
			t.Errorf("GET %s without the store: got %d %s, want 503", path, status, body)
		}
	}
	ta.start() // for the cleanup
}
