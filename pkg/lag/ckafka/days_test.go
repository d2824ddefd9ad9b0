package ckafka

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/tencent"
)

// refuse is a fault that befalls the reading of offsets.
func refuse(code string, times int) tencentcloud.Fault {
	return tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: times, Do: tencentcloud.Refuse(code, "no")}
}

// TestNothingLearnt holds what keeps a whole cluster from being read.
func TestNothingLearnt(t *testing.T) {
	deny := func(action string) func(*tencentcloud.Cloud, *Reader) {
		return func(c *tencentcloud.Cloud, _ *Reader) {
			c.SetKey(testID, tencentcloud.Key{Secret: testKey, Deny: []string{action}})
		}
	}
	fail := func(f tencentcloud.Fault) func(*tencentcloud.Cloud, *Reader) {
		return func(c *tencentcloud.Cloud, _ *Reader) { c.Inject(f) }
	}
	tests := []struct {
		name   string
		change func(*tencentcloud.Cloud, *Reader)
		kind   tencent.Kind
		words  string
		asked  int // requests, and more of them where it is tried again
	}{
		{"unknown key", func(c *tencentcloud.Cloud, _ *Reader) { c.RemoveKey(testID) }, tencent.Credentials, "check secret_id", 1},
		{"wrong key", func(c *tencentcloud.Cloud, _ *Reader) { c.SetKey(testID, tencentcloud.Key{Secret: "other"}) }, tencent.Credentials, "check secret_key", 1},
		{"expired token", func(c *tencentcloud.Cloud, _ *Reader) {
			c.SetKey(testID, tencentcloud.Key{Secret: testKey, Expires: time.Now()})
		}, tencent.Credentials, "temporary key has expired", 1},
		{"groups may not be listed", deny("ckafka:DescribeGroup"), tencent.Permission, "may not perform ckafka:DescribeGroup: allow it", 1},
		{"offsets may not be read", deny("ckafka:DescribeGroupOffsets"), tencent.Permission, "may not perform ckafka:DescribeGroupOffsets: allow it", 4},
		{"unknown instance", func(_ *tencentcloud.Cloud, r *Reader) { r.cluster.CKafka.InstanceID = "ckafka-2" }, tencent.NotFound, "check instance_id and region", 1},
		{"too many requests, for good", fail(tencentcloud.Fault{Times: 3, Do: tencentcloud.Refuse("RequestLimitExceeded", "no")}), tencent.Rate, "too many requests", 3},
		{"a proxy's page, for good", fail(tencentcloud.Fault{Times: 3, Do: fault.Respond(502, "text/html", "<html>")}), tencent.Network, "HTTP status 502", 3},
		{"no list in the answer, for good", fail(tencentcloud.Fault{Times: 3, Do: fault.Respond(200, "application/json", `{"Response":{"RequestId":"1"}}`)}), tencent.Network, "not the API's", 3},
		{"a text for a number, for good", fail(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 9, Do: fault.Respond(200, "application/json", `{"Response":{"RequestId":"1","Result":{"TotalCount":1,"TopicList":[{"Topic":"a","Partitions":[{"Partition":"0"}]}]}}}`)}), tencent.Network, "not the API's", 10},
		{"hung", fail(tencentcloud.Fault{Times: 9, Do: fault.Hang}), tencent.Timeout, "did not answer in time", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(table(3, 1, 1))
				r := newReader(t, cloud, newCluster())
				tt.change(cloud, r)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				snapshot, err := r.Read(ctx)
				e, ok := errors.AsType[*tencent.Error](err)
				if !ok || snapshot != nil {
					t.Fatalf("read %+v, %v", snapshot, err)
				}
				if e.Kind != tt.kind || !strings.Contains(e.Text("en"), tt.words) {
					t.Errorf("kind %s: %v; want %s: … %s …", e.Kind, e, tt.kind, tt.words)
				}
				for _, text := range []string{e.Text("en"), e.Text("zh")} {
					if strings.Contains(text, testID) || strings.Contains(text, testKey) {
						t.Errorf("a secret shows: %s", text)
					}
				}
				if got := cloud.Count(""); got != tt.asked {
					t.Errorf("%d requests, want %d", got, tt.asked)
				}
			})
		})
	}
}

// TestPassingFaults holds what is gone at the next try.
func TestPassingFaults(t *testing.T) {
	for name, do := range map[string]func(http.ResponseWriter, *http.Request, func()){
		"too many requests": tencentcloud.Refuse("RequestLimitExceeded.UinLimitExceeded", "no"),
		"internal error":    tencentcloud.Refuse("InternalError", "no"),
		"a proxy's page":    fault.Respond(502, "text/html", "<html>"),
		"not JSON":          fault.Respond(200, "application/json", "{"),
		"no list":           fault.Respond(200, "application/json", `{"Response":{"Result":{}}}`),
		"hung":              fault.Hang,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(table(3, 1, 1))
				cloud.Inject(tencentcloud.Fault{Action: "DescribeGroup", Times: 2, Do: do})
				cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 1, Do: do})
				snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range snapshot.Groups {
					if g.Err != nil || len(g.Topics) != 1 {
						t.Errorf("%s: %v", g.Name, g.Err)
					}
				}
				if lists, reads := cloud.Count("DescribeGroup"), cloud.Count("DescribeGroupOffsets"); lists != 3 || reads != 4 {
					t.Errorf("%d and %d requests, want 3 and 4", lists, reads)
				}
			})
		})
	}
}

func TestHalfAnAnswer(t *testing.T) {
	cloud := newCloud(table(1, 1, 1))
	cloud.Inject(tencentcloud.Fault{Action: "DescribeGroup", Do: fault.Truncate(`{"Response":{"Result":{"TotalCount":1}}}`)})
	snapshot, err := overTLS(t, cloud, tencent.Credential{}, newCluster()).Read(t.Context())
	if err != nil || len(snapshot.Groups) != 1 || cloud.Count("DescribeGroup") != 2 {
		t.Errorf("read %+v, %v with %d requests", snapshot, err, cloud.Count("DescribeGroup"))
	}
}

func TestOneGroupHidesNoOther(t *testing.T) {
	cloud := newCloud(table(3, 1, 1))
	cloud.Inject(refuse("InvalidParameterValue", 1))
	snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read, failed := 0, 0
	for _, g := range snapshot.Groups {
		switch {
		case g.Err == nil && g.Complete && len(g.Topics) == 1:
			read++
		case g.Err != nil && !g.Complete && len(g.Topics) == 0:
			failed++
		}
	}
	if read != 2 || failed != 1 || !snapshot.Complete {
		t.Errorf("%d read, %d failed, complete = %t", read, failed, snapshot.Complete)
	}
}

// TestSeveralReasons tells each group its own reason when there is none in common.
func TestSeveralReasons(t *testing.T) {
	cloud := newCloud(table(3, 1, 1))
	cloud.Inject(refuse("InvalidParameterValue", 2))
	cloud.Inject(refuse("UnauthorizedOperation", 1))
	snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[tencent.Kind]int{}
	for _, g := range snapshot.Groups {
		if e, ok := errors.AsType[*tencent.Error](g.Err); ok {
			kinds[e.Kind]++
		}
	}
	if kinds[tencent.Config] != 2 || kinds[tencent.Permission] != 1 {
		t.Errorf("reasons = %v", kinds)
	}
}

// TestASecondPageFails keeps what the first page held.
func TestASecondPageFails(t *testing.T) {
	cloud := newCloud(table(1, 60, 1))
	var asked atomic.Int32
	cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 2, Do: func(w http.ResponseWriter, r *http.Request, next func()) {
		if asked.Add(1) == 1 {
			next()
			return
		}
		tencentcloud.Refuse("FailedOperation", "no")(w, r, next)
	}})
	snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g := snapshot.Groups[0]; g.Err == nil || g.Complete || len(g.Topics) != 50 {
		t.Errorf("%d topics, complete = %t, error = %v", len(g.Topics), g.Complete, g.Err)
	}
}

// TestDeadline lets a cloud hang after five groups: they are kept, and Read comes
// back in time.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(table(20, 1, 1))
		var asked atomic.Int32
		cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 100, Do: func(w http.ResponseWriter, r *http.Request, next func()) {
			if asked.Add(1) <= 5 {
				next()
				return
			}
			fault.Hang(w, r, next)
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		snapshot, err := newReader(t, cloud, newCluster()).Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v", took)
		}
		read, hung, late := 0, 0, 0
		for _, g := range snapshot.Groups {
			e, _ := errors.AsType[*tencent.Error](g.Err)
			switch {
			case e == nil && g.Complete:
				read++
			case e != nil && e.Kind == tencent.Timeout && strings.Contains(e.Error(), "did not answer in time"):
				hung++
			case e != nil && e.Kind == tencent.Timeout && strings.Contains(e.Error(), "no time was left"):
				late++
			}
			if e != nil && (g.Complete || !errors.Is(e, context.DeadlineExceeded)) {
				t.Errorf("%s: complete = %t, error = %v", g.Name, g.Complete, e)
			}
		}
		if read != 5 || hung != 8 || late != 7 || !snapshot.Complete {
			t.Errorf("%d read, %d hung, %d without a turn, complete = %t", read, hung, late, snapshot.Complete)
		}
	})
}

// TestPace reads 100 groups as the vendor's limit of 100 requests a second
// allows: no request is refused.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(table(100, 1, 1))
		r, err := New(newCluster(), tencent.Credential{}, direct{cloud})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if cloud.Count("") != 102 {
			t.Errorf("%d requests", cloud.Count(""))
		}
		// 40 at once and 62 more, one each 20 ms.
		if took := time.Since(start); took != 1240*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// TestKeysRotate reads twice with the key of a role, which the platform renews in
// between.
func TestKeysRotate(t *testing.T) {
	cloud := newCloud(table(1, 1, 1))
	env := map[string]string{}
	give := func(id string) {
		cloud.SetKey(id, tencentcloud.Key{Secret: testKey, Token: testToken + id})
		env["TENCENTCLOUD_SECRETID"], env["TENCENTCLOUD_SECRETKEY"], env["TENCENTCLOUD_SESSIONTOKEN"] = id, testKey, testToken+id
	}
	c := newCluster()
	c.CKafka.SecretID, c.CKafka.SecretKey = "", ""
	r := overTLS(t, cloud, tencent.Credential{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}, c)

	_, err := r.Read(t.Context())
	if e, ok := errors.AsType[*tencent.Error](err); !ok || e.Kind != tencent.Credentials || !strings.Contains(e.Text("zh"), "请填写 secret_id") {
		t.Errorf("without a key: %v", err)
	}
	give("AKIDone")
	if _, err := r.Read(t.Context()); err != nil {
		t.Error(err)
	}
	cloud.RemoveKey("AKIDone")
	if _, err := r.Read(t.Context()); err == nil {
		t.Error("a removed key was taken")
	}
	give("AKIDtwo")
	if _, err := r.Read(t.Context()); err != nil {
		t.Error(err)
	}
}
