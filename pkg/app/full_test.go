//go:build linux

package app_test

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/storetest"
)

// TestFullDisk has a process in virtual time whose disk is full: alerts that were accepted
// are notified, refreshed and resolved; others are refused with the reason until there is
// room.
func TestFullDisk(t *testing.T) {
	disk := storetest.NewDisk(t, 4<<20)
	path := filepath.Join(disk.Path, "tocsin.db")
	synctest.Test(t, func(t *testing.T) {
		var received statusRecorder
		request := func(s *app.Server, method, path, body string) (code int, text string) {
			r := httptest.NewRequest(method, "http://127.0.0.1:9093"+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		want := func(s *app.Server, path string, code int, text string) {
			t.Helper()
			if got, body := request(s, "GET", path, ""); got != code || !strings.Contains(body, text) {
				t.Errorf("%s: got %d %q, want %d with %q", path, got, body, code, text)
			}
		}
		push := func(s *app.Server, alerts ...string) (code int, text string) {
			return request(s, "POST", "/api/v2/alerts", "["+strings.Join(alerts, ",")+"]")
		}
		down := fmt.Sprintf(`{"labels": {"alertname": "Down"}, "startsAt": %q}`, time.Now().Format(time.RFC3339))
		other := func(i int) string {
			return fmt.Sprintf(`{"labels": {"alertname": "Down", "n": "%d"}, "annotations": {"x": %q}}`, i, strings.Repeat("x", 10_000))
		}
		s, stop := startServer(t, path, &received)
		if code, text := push(s, down); code != 200 {
			t.Fatalf("push: got %d %q, want 200", code, text)
		}
		disk.Fill()
		n, code, text := 0, 200, ""
		for ; code == 200 && n < 100; n++ {
			code, text = push(s, other(n))
		}
		if code != 503 || !strings.Contains(text, "the store is full") {
			t.Errorf("push: got %d %q, want 503 with the reason", code, text)
		}
		time.Sleep(time.Minute)
		received.expect(t, "firing")
		want(s, "/-/ready", 503, "the store is full")
		want(s, "/-/healthy", 200, "OK")
		want(s, "/metrics", 200, "\ntocsin_store_writable 0\n")

		stop()
		useReserve(t, path, 100)
		s, stop = startServer(t, path, &received)
		want(s, "/-/ready", 503, "the store is full")
		for range 6 { // refreshed by messages that are refused for another alert
			if code, text := push(s, down, other(n)); code != 503 {
				t.Errorf("push: got %d %q, want 503", code, text)
			}
			time.Sleep(2 * time.Minute)
		}
		received.expect(t)
		time.Sleep(4 * time.Minute)
		received.expect(t, "resolved")

		disk.Clear()
		time.Sleep(11 * time.Second)
		want(s, "/-/ready", 200, "OK")
		want(s, "/metrics", 200, "\ntocsin_store_writable 1\n")
		if code, text := push(s, other(n)); code != 200 {
			t.Errorf("push: got %d %q, want 200", code, text)
		}
		time.Sleep(11 * time.Second)
		received.expect(t, "firing")
		stop()
	})
}

// useReserve stores so many items of 1 KB in the reserve.
func useReserve(t *testing.T, path string, items int) {
	t.Helper()
	s, err := bolt.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	changes := make([]store.Change, items)
	for i := range changes {
		changes[i] = store.Change{Key: fmt.Sprintf("channel/x/%d", i), Value: make([]byte, 1000)}
	}
	if err := s.Commit(store.WithReserve(t.Context()), time.Now(), changes...); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
