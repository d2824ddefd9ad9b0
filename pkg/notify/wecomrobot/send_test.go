package wecomrobot

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func secret(s string) setting.Secret { return setting.Secret(s) }

// recorder accepts every request and keeps its body.
type recorder struct{ bodies [][]byte }

func (r *recorder) client() *http.Client { return &http.Client{Transport: r} }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	r.bodies = append(r.bodies, body)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"errcode":0,"errmsg":"ok"}`))}, err
}

// sendOne says one alert and returns what became of it.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(oneTopic()...), key)
}

// The robot's quota is the vendor's to count: the 21st message of a minute comes
// back as one to be sent later.
func TestQuota(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	for i := range wecom.PerMinute {
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Fatalf("message %d: %v", i+1, err)
		}
	}
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != time.Minute {
		t.Errorf("message 21: %+v", err)
	}
}
