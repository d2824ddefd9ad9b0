package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/api"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
)

const programs = "/api/tocsin/v1/"

// programsAPI is an API whose only receiver has a channel that a test controls.
type programsAPI struct {
	*testAPI
	channel *outboxtest.Channel
}

// newProgramsAPI returns an API with the cluster orders, whose topic paid is 2,001
// messages behind, and with the receiver ops.
func newProgramsAPI(t *testing.T, changes ...func(*api.Options)) *programsAPI {
	t.Helper()
	p := &programsAPI{channel: &outboxtest.Channel{}}
	st := &failingStore{Store: memory.New()}
	wait := setting.Duration(0)
	engine, err := dispatch.New(st, dispatch.Config{
		Route:     &route.Config{Receiver: "ops", GroupBy: []string{"topic"}, GroupWait: &wait},
		Receivers: []*outbox.Receiver{outboxtest.Receiver("ops", "robot", p.channel)},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n := func(v int64) *int64 { return &v }
	rows := []lag.TableRow{
		{Cluster: "orders", Group: "order-worker", Topic: "paid", Lag: n(2001), Threshold: n(2000), AlertState: lag.StateFiring, Rule: "KafkaConsumerLag"},
		{Cluster: "orders", Group: "order-worker", Topic: "new", UnknownPartitions: 1, Reason: "no commit", AlertState: lag.StateUnknown},
		{Cluster: "clicks", AlertState: lag.StateUnknown, Error: "connection refused"},
	}
	find := func(cluster string) error {
		if err := st.failure(); err != nil {
			return err
		}
		if cluster != "" && cluster != "orders" && cluster != "clicks" {
			return api.NotFoundf("no cluster is named %q in the configuration", cluster)
		}
		return nil
	}
	p.testAPI = newTestAPI(t, append([]func(*api.Options){func(o *api.Options) {
		o.Engine = engine
		o.Lag = func(_ context.Context, cluster string) (found []lag.TableRow, err error) {
			for _, r := range rows {
				if cluster == "" || r.Cluster == cluster {
					found = append(found, r)
				}
			}
			return found, find(cluster)
		}
		o.LagHistory = func(_ context.Context, cluster, group, topic string) (trend.History, error) {
			if group != "order-worker" || topic != "paid" {
				return trend.History{}, find(cluster)
			}
			return trend.History{Last: t0.Truncate(time.Minute), Step: time.Minute, Values: []int64{5, -1, 2001}}, find(cluster)
		}
		o.SendTest = func(_ context.Context, receiver string, now time.Time, each func(api.TestMessage)) error {
			if receiver != "运维/1" {
				return api.NotFoundf("no receiver is named %q", receiver)
			}
			each(api.TestMessage{Channel: "robot/0", Text: "a test at " + now.Format(time.TimeOnly), Outcomes: []api.TestOutcome{{Unit: "u1"}, {Unit: "u2", Error: "no such user"}}})
			each(api.TestMessage{Channel: "sms/1", Error: "the template fails", Outcomes: []api.TestOutcome{}})
			return nil
		}
	}}, changes...)...)
	p.store, p.engine = st, engine
	return p
}

// addDeadLetter makes an alert whose notification no channel accepts.
func (p *programsAPI) addDeadLetter(topic string) {
	p.t.Helper()
	p.channel.Fail(outboxtest.Permanent("robot removed"))
	if err := p.engine.Ingest(p.t.Context(), p.now, outboxtest.Firing(p.now, topic)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.engine.Tick(p.t.Context(), p.now); err != nil {
		p.t.Fatal(err)
	}
}

func (p *programsAPI) expectGet(path string, status int, want string) {
	p.t.Helper()
	if got, body := p.get(programs + path); got != status || !sameJSON(p.t, body, want) {
		p.t.Errorf("GET %s: got %d %s, want %d %s", path, got, body, status, want)
	}
}

func (p *programsAPI) expectPost(path string, status int, want string) {
	p.t.Helper()
	if got, body := p.read(p.request(http.MethodPost, programs+path, nil)); got != status || !sameJSON(p.t, body, want) {
		p.t.Errorf("POST %s: got %d %s, want %d %s", path, got, body, status, want)
	}
}

func TestPrograms(t *testing.T) {
	t.Run("lag", func(t *testing.T) {
		const orders = `
			{"cluster":"orders","consumer_group":"order-worker","topic":"paid","lag":2001,"threshold":2000,"state":"firing","rule":"KafkaConsumerLag","delay":null,"rate_in":null,"rate_out":null},
			{"cluster":"orders","consumer_group":"order-worker","topic":"new","lag":null,"threshold":null,"unknown_partitions":1,"reason":"no commit","state":"unknown","delay":null,"rate_in":null,"rate_out":null}`
		const clicks = `{"cluster":"clicks","consumer_group":"","lag":null,"threshold":null,"state":"unknown","delay":null,"rate_in":null,"rate_out":null,"error":"connection refused"}`
		p := newProgramsAPI(t)
		p.expectGet("lag", 200, "["+orders+","+clicks+"]")
		p.expectGet("lag?cluster=orders", 200, "["+orders+"]")
		p.expectGet("lag?cluster=x", 404, `{"code":404,"message":"no cluster is named \"x\" in the configuration"}`)
	})
	t.Run("no lag is an empty list", func(t *testing.T) {
		p := newProgramsAPI(t, func(o *api.Options) {
			o.Lag = func(context.Context, string) ([]lag.TableRow, error) { return nil, nil }
		})
		p.expectGet("lag", 200, "[]")
	})
	t.Run("lag history", func(t *testing.T) {
		p := newProgramsAPI(t)
		p.expectGet("lag/history?cluster=orders&group=order-worker&topic=paid", 200, `{"step":60,"from":"2026-11-20T21:58:00Z","values":[5,null,2001]}`)
		p.expectGet("lag/history?cluster=orders&group=order-worker&topic=x", 200, `{"step":0,"from":null,"values":[]}`)
		p.expectGet("lag/history?cluster=x&group=order-worker&topic=paid", 404, `{"code":404,"message":"no cluster is named \"x\" in the configuration"}`)
		p.expectGet("lag/history?cluster=orders&topic=paid", 400, `{"code":400,"message":"parameter group is missing"}`)
	})
	t.Run("dead letters are listed and sent again", func(t *testing.T) {
		p := newProgramsAPI(t)
		p.expectGet("dead", 200, "[]")
		p.addDeadLetter("a")
		var letters []api.DeadLetter
		_, body := p.get(programs + "dead")
		decode(t, body, &letters)
		if len(letters) != 1 {
			t.Fatalf("got %s, want one dead letter", body)
		}
		id := letters[0].ID
		p.expectGet("dead", 200, fmt.Sprintf(`[{"id":%q,"receiver":"ops","channel":"robot","group":"{}:{topic=\"a\"}","time":"2026-11-20T22:00:00.123456789Z","cause":"robot removed","alerts":1}]`, id))
		p.expectPost("dead/"+id+"/resend", 200, `{"status":"ok"}`)
		p.expectFlushes(1)
		p.expectGet("dead", 200, "[]")
		if _, err := p.engine.Tick(t.Context(), p.now); err != nil {
			t.Fatal(err)
		}
		if got := p.channel.TakeLines(); len(got) != 1 || !strings.Contains(got[0], "a;") {
			t.Errorf("got notifications %q, want one of a", got)
		}
		const missing = `{"code":404,"message":"there is no such dead letter"}`
		for _, id := range []string{id, "x", strings.Repeat("x", 4<<10)} {
			p.expectPost("dead/"+id+"/resend", 404, missing)
		}
		p.expectFlushes(1)
	})
	t.Run("at most 5,000 dead letters are listed, the oldest ones", func(t *testing.T) {
		p := newProgramsAPI(t)
		for i := range 5001 {
			entry, err := store.Encode(keyspace.DeadLetter+fmt.Sprint(i), outbox.Entry{Notification: alert.Notification{ID: fmt.Sprint(i)}, Since: t0.Add(-time.Duration(i) * time.Second)})
			if err == nil {
				err = p.store.Commit(t.Context(), t0, entry)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var letters []api.DeadLetter
		_, body := p.get(programs + "dead")
		decode(t, body, &letters)
		if len(letters) != 5000 || letters[0].ID != "5000" || letters[4999].ID != "1" {
			t.Errorf("got %d dead letters, want 5000 from 5000 to 1", len(letters))
		}
	})
	t.Run("a test notification", func(t *testing.T) {
		p := newProgramsAPI(t)
		p.expectPost("receivers/%E8%BF%90%E7%BB%B4%2F1/test", 200, `[
			{"channel":"robot/0","text":"a test at 22:00:00","outcomes":[{"unit":"u1"},{"unit":"u2","error":"no such user"}]},
			{"channel":"sms/1","text":"","error":"the template fails","outcomes":[]}]`)
		p.expectPost("receivers/x/test", 404, `{"code":404,"message":"no receiver is named \"x\""}`)
	})
	t.Run("errors are objects", func(t *testing.T) {
		p := newProgramsAPI(t)
		p.expectGet("nowhere", 404, `{"code":404,"message":"path /api/tocsin/v1/nowhere was not found"}`)
		p.expectGet("dead/x/resend", 405, `{"code":405,"message":"method GET is not allowed, but [POST] are"}`)
		p.store.err = store.ErrUnavailable
		p.expectGet("dead", 503, `{"code":503,"message":"the store is out of reach: try again"}`)
		p.store.err = fmt.Errorf("a secret detail")
		p.expectGet("dead", 500, `{"code":500,"message":"internal error: see the log of Tocsin"}`)
		p.store.panic = "broken"
		p.expectGet("dead", 500, `{"code":500,"message":"internal error: see the log of Tocsin"}`)
	})
}
